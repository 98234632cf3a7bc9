/// The two text formats in which metrics travel.
package enum ExpositionFormat: Sendable, Hashable {
    /// Prometheus text format 0.0.4; timestamps are milliseconds.
    case prometheusText
    /// OpenMetrics 1.0; timestamps are seconds, the page ends in `# EOF`.
    case openMetrics

    /// The value of the `Content-Type` header.
    package var contentType: String {
        switch self {
        case .prometheusText: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// The format that a model server's `Content-Type` announces. Engines are careless with it (vLLM says
    /// `text/plain; version=1.0.0` and sends 0.0.4), so everything but OpenMetrics is read as Prometheus text.
    package init(contentType: String?) {
        let mediaType = contentType?.prefix { $0 != ";" }.trimmingBlanks().lowercased()
        self = mediaType == "application/openmetrics-text" ? .openMetrics : .prometheusText
    }

    /// The format to answer with, from the text of an `Accept` header (RFC 9110 §12.5.1). OpenMetrics only when it is
    /// named, in version 1.0.0 or without a version, and is wanted no less than the text format. Whatever else is asked
    /// for is answered with the text format, which every scraper reads.
    package static func negotiate(accept: String?) -> ExpositionFormat {
        guard let accept else { return .prometheusText }
        var openMetrics = 0.0
        var plain: (quality: Double, precision: Int) = (0, -1)
        for range in accept.utf8.split(separator: UInt8(ascii: ",")) {
            let range = MediaRange(Substring(range))
            switch range.type {
            case "application/openmetrics-text":
                if range.version == nil || range.version == "1.0.0" { openMetrics = max(openMetrics, range.quality) }
            case "text/plain":
                let isOurs = range.version == nil || range.version == "0.0.4"
                if isOurs { plain = plain.precision == 2 ? (max(plain.quality, range.quality), 2) : (range.quality, 2) }
            case "text/*":
                if plain.precision < 1 { plain = (range.quality, 1) }
            case "*/*":
                if plain.precision < 0 { plain = (range.quality, 0) }
            default:
                break
            }
        }
        return openMetrics > 0 && openMetrics >= plain.quality ? .openMetrics : .prometheusText
    }
}

/// One element of an `Accept` header, as far as it matters here.
private struct MediaRange {
    let type: String
    var version: String?
    /// 0 to 1; 1 when absent, 0 when it is not a number.
    var quality = 1.0

    init(_ text: Substring) {
        let parts = text.split(separator: ";", omittingEmptySubsequences: false)
        type = parts[0].trimmingBlanks().lowercased()
        for parameter in parts.dropFirst() {
            let pair = parameter.split(separator: "=", maxSplits: 1)
            guard pair.count == 2 else { continue }
            let value = pair[1].trimmingBlanks().trimming { $0 == "\"" }
            switch pair[0].trimmingBlanks().lowercased() {
            case "version": version = String(value)
            case "q": quality = Double(value).map { $0.isNaN ? 0 : min(max($0, 0), 1) } ?? 0
            default: break
            }
        }
    }
}

extension Substring {
    fileprivate func trimmingBlanks() -> Substring {
        trimming { $0 == " " || $0 == "\t" }
    }

    fileprivate func trimming(_ isOuter: (Character) -> Bool) -> Substring {
        var rest = drop(while: isOuter)
        while let last = rest.last, isOuter(last) { rest.removeLast() }
        return rest
    }
}
