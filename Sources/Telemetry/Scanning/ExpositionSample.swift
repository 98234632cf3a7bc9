/// The type that a page's `# TYPE` line declares.
package enum ExpositionType: Sendable, Hashable {
    /// Counters, also those of OpenMetrics.
    case counter
    case gauge
    /// Histograms, also gauge histograms.
    case histogram
    case summary
    /// Info metrics of OpenMetrics.
    case info
    /// State sets of OpenMetrics.
    case stateSet
    /// Declared as untyped or unknown, or not declared before the sample.
    case untyped

    /// The type with this name on a page.
    init?(name: RawSpan) {
        let whole = 0..<name.byteCount
        for (type, text) in Self.names where name.isEqual(whole, text) {
            self = type
            return
        }
        return nil
    }

    private static let names: [(ExpositionType, String)] = [
        (.gauge, "gauge"), (.counter, "counter"), (.histogram, "histogram"), (.summary, "summary"),
        (.untyped, "untyped"), (.untyped, "unknown"), (.info, "info"), (.stateSet, "stateset"),
        (.histogram, "gaugehistogram"),
    ]
}

/// One wanted sample of a page. Its labels stay in the line, which the scanner hands over beside it, until asked for.
package struct ExpositionSample: Sendable, Hashable {
    /// The index of the metric in ``WantedMetrics/metrics``.
    package let metric: Int
    /// The value; NaN and infinities are possible.
    package let value: Double
    /// The time of the sample in milliseconds since 1970, if the page gives one.
    package let timestampMilliseconds: Int64?
    /// The type that the page declared before the sample.
    package let type: ExpositionType
    /// What stands between the braces.
    let labels: Range<Int>

    /// The value of a label without its escapes, or nil if the sample does not have it. Bytes that are not UTF-8 become
    /// U+FFFD.
    ///
    /// - Parameters:
    ///   - name: The label's name.
    ///   - line: The line that came with the sample.
    package func label(_ name: String, in line: RawSpan) -> String? {
        guard let found = LabelCursor.find(name, in: line, labels) else { return nil }
        return found.hasEscapes ? LabelEscapes.decoded(line, found.value) : line.text(found.value)
    }

    /// Whether a label has this value; an absent label has the empty one. Allocates nothing unless there are escapes.
    package func isLabel(_ name: String, _ value: String, in line: RawSpan) -> Bool {
        guard let found = LabelCursor.find(name, in: line, labels) else { return value.isEmpty }
        if found.hasEscapes { return LabelEscapes.decoded(line, found.value) == value }
        return line.isEqual(found.value, value)
    }
}

/// Walks over the labels of a line: `name="value"` pairs with commas between, and perhaps one after the last.
struct LabelCursor {
    struct Label {
        let name: Range<Int>
        /// Between the quotes, escapes included.
        let value: Range<Int>
        let hasEscapes: Bool
    }

    enum Step {
        case label(Label)
        /// The offset of the closing brace, or of the end of a range that leaves the brace out.
        case end(Int)
        case malformed
    }

    private var offset: Int
    private let limit: Int

    /// Starts after the opening brace; `limit` is where reading must stop at the latest.
    init(from start: Int, to limit: Int) {
        offset = start
        self.limit = limit
    }

    /// Takes the next label.
    mutating func next(in line: RawSpan) -> Step {
        skipBlanks(line)
        if offset >= limit || line[offset] == UInt8(ascii: "}") { return .end(offset) }
        let nameStart = offset
        while offset < limit, line[offset].isLabelNameByte { offset += 1 }
        let name = nameStart..<offset
        skipBlanks(line)
        guard !name.isEmpty, take(UInt8(ascii: "="), line) else { return .malformed }
        skipBlanks(line)
        guard take(UInt8(ascii: "\""), line) else { return .malformed }
        let valueStart = offset
        var hasEscapes = false
        while offset < limit, line[offset] != UInt8(ascii: "\"") {
            if line[offset] == UInt8(ascii: "\\") {
                hasEscapes = true
                offset += 1
            }
            offset += 1
        }
        // A backslash as the last byte moves past the limit.
        guard offset < limit else { return .malformed }
        let value = valueStart..<offset
        offset += 1
        skipBlanks(line)
        if !take(UInt8(ascii: ","), line), offset < limit, line[offset] != UInt8(ascii: "}") { return .malformed }
        return .label(Label(name: name, value: value, hasEscapes: hasEscapes))
    }

    /// The offset of the brace that closes the labels which begin at `start`, or nil if they are malformed.
    static func end(of line: RawSpan, from start: Int) -> Int? {
        var cursor = LabelCursor(from: start, to: line.byteCount)
        while true {
            switch cursor.next(in: line) {
            case .label: continue
            case .end(let offset): return offset < line.byteCount ? offset : nil
            case .malformed: return nil
            }
        }
    }

    /// The first label with this name.
    static func find(_ name: String, in line: RawSpan, _ labels: Range<Int>) -> Label? {
        var cursor = LabelCursor(from: labels.lowerBound, to: min(labels.upperBound, line.byteCount))
        while case .label(let label) = cursor.next(in: line) {
            if line.isEqual(label.name, name) { return label }
        }
        return nil
    }

    private mutating func skipBlanks(_ line: RawSpan) {
        while offset < limit, line[offset].isBlank { offset += 1 }
    }

    private mutating func take(_ byte: UInt8, _ line: RawSpan) -> Bool {
        guard offset < limit, line[offset] == byte else { return false }
        offset += 1
        return true
    }
}

/// The escapes of label values: a backslash before a backslash, a quote or the letter n.
private enum LabelEscapes {
    /// The value without escapes. A backslash before anything else stands for itself.
    static func decoded(_ line: RawSpan, _ range: Range<Int>) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        var offset = range.lowerBound
        while offset < range.upperBound {
            let byte = line[offset]
            offset += 1
            guard byte == UInt8(ascii: "\\"), offset < range.upperBound else {
                bytes.append(byte)
                continue
            }
            switch line[offset] {
            case UInt8(ascii: "n"): bytes.append(UInt8(ascii: "\n"))
            case UInt8(ascii: "\\"), UInt8(ascii: "\""): bytes.append(line[offset])
            default:
                bytes.append(byte)
                bytes.append(line[offset])
            }
            offset += 1
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension UInt8 {
    @inline(__always)
    fileprivate var isLabelNameByte: Bool {
        self | 0x20 &- 0x61 < 26 || self &- 0x30 < 10 || self == UInt8(ascii: "_")
    }
}
