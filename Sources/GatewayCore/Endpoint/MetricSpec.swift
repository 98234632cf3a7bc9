/// Selects one series of an engine's metrics page: a metric name and the labels that the series must carry.
///
/// The text form is `name` or `name{key="value",key2=value2}`, as in
/// `nv_trt_llm_request_metrics{request_type=waiting}`. Names are those of the Prometheus text format:
/// `[a-zA-Z_:][a-zA-Z0-9_:]*`, labels without the colon.
public struct MetricSpec: Hashable, Sendable, CustomStringConvertible {
    /// A label that a series must carry.
    public struct Label: Hashable, Sendable {
        /// The label's name.
        public let name: String
        /// The value that it must have.
        public let value: String

        /// Makes a label.
        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// Why a text is no metric specification.
    public struct SyntaxError: Error, Hashable, Sendable, CustomStringConvertible {
        /// The whole text.
        public let text: String
        /// The position of the fault in ``text``, in UTF-8 bytes from 0.
        public let offset: Int
        /// What should have stood there.
        public let expected: String

        /// A sentence with the text, the fault and its place.
        public var description: String {
            "metric specification '\(text)' is not valid: expected \(expected) at byte \(offset)"
        }
    }

    /// The metric's name.
    public let name: String
    /// The labels that a series must carry, in the order of the text; other labels of the series do not matter.
    public let labels: [Label]

    /// Makes a specification from parts that are known to be well formed.
    public init(name: String, labels: [Label] = []) {
        self.name = name
        self.labels = labels
    }

    /// Reads the text form. White space around its parts is ignored, and a label's value may go without quotes.
    ///
    /// - Throws: ``SyntaxError``.
    public init(parsing text: String) throws(SyntaxError) {
        var parser = MetricSpecParser(text)
        self = try parser.parse()
    }

    /// The text form, with quotes around every value.
    public var description: String {
        labels.isEmpty ? name : "\(name){\(labels.map(Self.text(of:)).joined(separator: ","))}"
    }

    private static func text(of label: Label) -> String {
        var value = ""
        for character in label.value.unicodeScalars {
            switch character {
            case "\"": value += "\\\""
            case "\\": value += "\\\\"
            case "\n": value += "\\n"
            default: value.unicodeScalars.append(character)
            }
        }
        return "\(label.name)=\"\(value)\""
    }
}

/// A cursor over the bytes of a specification's text.
private struct MetricSpecParser {
    private let text: String
    private let bytes: [UInt8]
    private var position = 0

    init(_ text: String) {
        self.text = text
        bytes = Array(text.utf8)
    }

    mutating func parse() throws(MetricSpec.SyntaxError) -> MetricSpec {
        skipSpace()
        let name = try identifier(colonsAllowed: true, expected: "a metric name")
        skipSpace()
        guard position < bytes.count else { return MetricSpec(name: name) }
        guard take(UInt8(ascii: "{")) else { throw fault("'{' or the end") }
        let labels = try labels()
        skipSpace()
        guard position == bytes.count else { throw fault("the end") }
        return MetricSpec(name: name, labels: labels)
    }

    /// The labels behind the opening brace, and the closing brace.
    private mutating func labels() throws(MetricSpec.SyntaxError) -> [MetricSpec.Label] {
        var labels: [MetricSpec.Label] = []
        skipSpace()
        while !take(UInt8(ascii: "}")) {
            let start = position
            let name = try identifier(colonsAllowed: false, expected: "a label name")
            guard !labels.contains(where: { $0.name == name }) else {
                position = start
                throw fault("a label other than '\(name)', which is there already,")
            }
            skipSpace()
            guard take(UInt8(ascii: "=")) else { throw fault("'='") }
            skipSpace()
            labels.append(MetricSpec.Label(name: name, value: try value()))
            skipSpace()
            if take(UInt8(ascii: ",")) {
                skipSpace()
            } else if position == bytes.count || bytes[position] != UInt8(ascii: "}") {
                throw fault("',' or '}'")
            }
        }
        return labels
    }

    private mutating func value() throws(MetricSpec.SyntaxError) -> String {
        if take(UInt8(ascii: "\"")) { return try quotedValue() }
        let start = position
        while position < bytes.count, !Self.endsBareValue(bytes[position]) { position += 1 }
        guard position > start else { throw fault("a label value") }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    /// The rest of a quoted value, with the escapes of the text format, and the closing quote.
    private mutating func quotedValue() throws(MetricSpec.SyntaxError) -> String {
        var value: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "\"") { return String(decoding: value, as: UTF8.self) }
            guard byte == UInt8(ascii: "\\") else {
                value.append(byte)
                continue
            }
            if take(UInt8(ascii: "n")) {
                value.append(UInt8(ascii: "\n"))
            } else if position < bytes.count, [UInt8(ascii: "\""), UInt8(ascii: "\\")].contains(bytes[position]) {
                value.append(bytes[position])
                position += 1
            } else {
                throw fault("'\\\"', '\\\\' or '\\n'")
            }
        }
        throw fault("a closing quote")
    }

    private static func endsBareValue(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "\""), UInt8(ascii: " "), UInt8(ascii: "\t"): true
        default: false
        }
    }

    private mutating func identifier(
        colonsAllowed: Bool,
        expected: String
    ) throws(MetricSpec.SyntaxError) -> String {
        let start = position
        while position < bytes.count {
            let byte = bytes[position]
            let isLetter = (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte == UInt8(ascii: "_")
            let isDigit = byte &- UInt8(ascii: "0") < 10 && position > start
            guard isLetter || isDigit || (colonsAllowed && byte == UInt8(ascii: ":")) else { break }
            position += 1
        }
        guard position > start else { throw fault(expected) }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func skipSpace() {
        while position < bytes.count, bytes[position] == UInt8(ascii: " ") || bytes[position] == UInt8(ascii: "\t") {
            position += 1
        }
    }

    private func fault(_ expected: String) -> MetricSpec.SyntaxError {
        MetricSpec.SyntaxError(text: text, offset: position, expected: expected)
    }
}
