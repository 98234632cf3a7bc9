/// The label names and values of one series, side by side.
package struct LabelPairs {
    let labels: [MetricLabel]
    let values: [String]
}

/// Writes families into a page of one of the two text formats. Families must come one after the other, each with its
/// head first; ``MetricRegistry`` sees to that.
package struct PrometheusWriter {
    private let format: ExpositionFormat
    private var page: [UInt8] = []
    /// The name that samples carry.
    private var sampleName: [UInt8] = []
    private var definition: MetricDefinition?
    /// The labels of the series at hand, without braces; a histogram writes them dozens of times.
    private var renderedLabels: [UInt8] = []
    /// The label `le` of each bucket of the family at hand.
    private var renderedBounds: [[UInt8]] = []

    init(format: ExpositionFormat) {
        self.format = format
        page.reserveCapacity(64 * 1024)
    }

    /// Notes the family whose samples follow. The head is written with the first sample, so that a family without
    /// samples leaves nothing on the page.
    mutating func begin(_ next: MetricDefinition) {
        definition = next
        sampleName = Array(next.name.utf8)
        renderedBounds = next.type == .histogram ? (next.buckets + [.infinity]).map(renderBound) : []
    }

    /// Writes a count.
    mutating func sample(_ pairs: borrowing LabelPairs, count: UInt64) {
        writeHeadOnce()
        render(pairs)
        appendSeries(suffix: "", bound: nil)
        ExpositionNumber.append(count, to: &page)
        page.append(UInt8(ascii: "\n"))
    }

    /// Writes a number.
    mutating func sample(_ pairs: borrowing LabelPairs, value: Double) {
        writeHeadOnce()
        render(pairs)
        appendSeries(suffix: "", bound: nil)
        ExpositionNumber.append(value, to: &page)
        page.append(UInt8(ascii: "\n"))
    }

    /// Writes the cumulated buckets, the sum and the count, and in OpenMetrics the exemplars.
    mutating func histogram(_ pairs: borrowing LabelPairs, _ histogram: HistogramReading) {
        writeHeadOnce()
        render(pairs)
        var cumulated: UInt64 = 0
        for (bucket, count) in histogram.counts.enumerated() {
            cumulated &+= count
            appendSeries(suffix: "_bucket", bound: renderedBounds[bucket])
            ExpositionNumber.append(cumulated, to: &page)
            if format == .openMetrics, let exemplar = histogram.exemplar(of: bucket) { append(exemplar) }
            page.append(UInt8(ascii: "\n"))
        }
        appendSeries(suffix: "_sum", bound: nil)
        ExpositionNumber.append(histogram.sum, to: &page)
        page.append(UInt8(ascii: "\n"))
        appendSeries(suffix: "_count", bound: nil)
        ExpositionNumber.append(cumulated, to: &page)
        page.append(UInt8(ascii: "\n"))
    }

    /// Appends ` # {labels} value timestamp`. Names and values of the labels have 63 characters, of the 128 that
    /// OpenMetrics 1.0 allows.
    private mutating func append(_ exemplar: Exemplar) {
        let trace = exemplar.trace
        page.append(contentsOf: " # {trace_id=\"\(trace.traceID)\",span_id=\"\(trace.spanIDText)\"} ".utf8)
        ExpositionNumber.append(exemplar.value, to: &page)
        page.append(UInt8(ascii: " "))
        ExpositionNumber.append(exemplar.milliseconds / 1_000, to: &page)
        page.append(UInt8(ascii: "."))
        // A leading 1 keeps the zeros in front, and is left out.
        page.append(contentsOf: String(exemplar.milliseconds % 1_000 + 1_000).utf8.dropFirst())
    }

    /// Ends the page and gives it out.
    consuming func finish() -> [UInt8] {
        if format == .openMetrics { page.append(contentsOf: "# EOF\n".utf8) }
        return page
    }

    /// `# HELP`, `# TYPE` and, in OpenMetrics, `# UNIT` where the unit is the suffix of the family's name, as it must
    /// be. In OpenMetrics a counter's family is named without `_total`.
    private mutating func writeHeadOnce() {
        guard let definition else { return }
        self.definition = nil
        var family = definition.name[...]
        if format == .openMetrics, definition.type == .counter { family = family.dropLast("_total".utf8.count) }
        page.append(contentsOf: "# HELP \(family) ".utf8)
        Self.appendEscaped(definition.pageHelp, quotes: format == .openMetrics, to: &page)
        page.append(contentsOf: "\n# TYPE \(family) \(definition.type.rawValue)\n".utf8)
        if format == .openMetrics, let unit = definition.unit, family.hasSuffix("_\(unit.rawValue)") {
            page.append(contentsOf: "# UNIT \(family) \(unit.rawValue)\n".utf8)
        }
    }

    private mutating func render(_ pairs: borrowing LabelPairs) {
        renderedLabels.removeAll(keepingCapacity: true)
        for (index, label) in pairs.labels.enumerated() {
            if index > 0 { renderedLabels.append(UInt8(ascii: ",")) }
            renderedLabels.append(contentsOf: label.name.utf8)
            renderedLabels.append(contentsOf: "=\"".utf8)
            Self.appendEscaped(pairs.values[index], quotes: true, to: &renderedLabels)
            renderedLabels.append(UInt8(ascii: "\""))
        }
    }

    /// OpenMetrics wants a bound to look like a float: "1.0", where the older format has "1".
    private func renderBound(_ bound: Double) -> [UInt8] {
        var number: [UInt8] = []
        ExpositionNumber.appendCanonical(bound, to: &number)
        let isWhole = number.allSatisfy { $0 == UInt8(ascii: "-") || (0x30...0x39).contains($0) }
        if format == .openMetrics, isWhole { number.append(contentsOf: ".0".utf8) }
        return Array("le=\"".utf8) + number + [UInt8(ascii: "\"")]
    }

    /// Appends the sample's name, its labels and the blank before the value.
    private mutating func appendSeries(suffix: StaticString, bound: [UInt8]?) {
        page.append(contentsOf: sampleName)
        suffix.withUTF8Buffer { page.append(contentsOf: $0) }
        if !renderedLabels.isEmpty || bound != nil {
            page.append(UInt8(ascii: "{"))
            page.append(contentsOf: renderedLabels)
            if let bound {
                if !renderedLabels.isEmpty { page.append(UInt8(ascii: ",")) }
                page.append(contentsOf: bound)
            }
            page.append(UInt8(ascii: "}"))
        }
        page.append(UInt8(ascii: " "))
    }

    private static func appendEscaped(_ text: String, quotes: Bool, to bytes: inout [UInt8]) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): bytes.append(contentsOf: "\\\\".utf8)
            case UInt8(ascii: "\n"): bytes.append(contentsOf: "\\n".utf8)
            case UInt8(ascii: "\"") where quotes: bytes.append(contentsOf: "\\\"".utf8)
            default: bytes.append(byte)
            }
        }
    }
}
