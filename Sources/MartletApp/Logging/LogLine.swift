import Logging

/// The form of a log's lines.
enum LogStyle: Hashable, Sendable {
    /// One JSON object a line, with the keys of llm-d's endpoint picker.
    case json
    /// For people: time, level, logger, message and `key=value`.
    case text(isColoured: Bool)
}

/// One line of a log while it is written: the time, who says what, and then fields.
///
/// It has at most ``lengthMax`` bytes and a little more, whatever is put in: long values end in an ellipsis, and when
/// the line is full, further fields are left out and the line says so.
struct LogLine {
    /// The bytes from which on fields are left out.
    static let lengthMax = 16_384
    /// The most bytes of a message.
    static let messageMax = 8_192
    /// The most bytes of a value.
    static let valueMax = 2_048
    /// The most bytes of a key.
    static let keyMax = 128
    /// The keys that every line of JSON has itself.
    static let ownKeys: Set<String> = ["level", "ts", "logger", "caller", "msg", "truncated"]

    private let style: LogStyle
    private var bytes: [UInt8] = []
    private var isFull = false

    /// Begins a line.
    ///
    /// - Parameters:
    ///   - style: the form.
    ///   - level: how important it is.
    ///   - logger: who says it.
    ///   - message: what is said.
    ///   - caller: the place in the source, as `Module/File.swift:1`; lines of text do not have it. `nil` for none.
    ///   - time: when it is said.
    init(
        _ style: LogStyle,
        _ level: Logger.Level,
        logger: String,
        message: String,
        caller: String? = nil,
        at time: WallTime = .now
    ) {
        self.style = style
        bytes.reserveCapacity(1_024)
        switch style {
        case .json:
            bytes += #"{"level":""#.utf8
            bytes += level.jsonWord.utf8
            bytes += #"","ts":"#.utf8
            time.appendSeconds(to: &bytes)
            add("logger", logger)
            if let caller { add("caller", caller) }
            bytes += #","msg":""#.utf8
            LogText.append(message, to: &bytes, limit: Self.messageMax)
            bytes.append(UInt8(ascii: "\""))
        case .text(let isColoured):
            if isColoured { bytes += Self.dim.utf8 }
            time.appendText(to: &bytes)
            bytes += " \(isColoured ? level.colour : "")\(level.rawValue)\(isColoured ? Self.plain : "") ".utf8
            bytes += "\(logger): ".utf8
            LogText.append(message, to: &bytes, limit: Self.messageMax, keepsLineFeeds: true)
        }
    }

    private static let dim = "\u{1B}[2m"
    private static let plain = "\u{1B}[0m"

    /// Adds a field with a text.
    mutating func add(_ key: String, _ text: String) {
        field(key) { $0.appendString(text) }
    }

    /// Adds a field with a text, unless that is empty.
    mutating func add(ifAny key: String, _ text: String) {
        if !text.isEmpty { add(key, text) }
    }

    /// Adds a field with a number.
    mutating func add(_ key: String, _ number: Int) {
        field(key) { $0.bytes += String(number).utf8 }
    }

    /// Adds a field with a length of time in milliseconds, to the microsecond.
    mutating func add(_ key: String, nanoseconds: Int64) {
        field(key) { line in
            if nanoseconds < 0 { line.bytes.append(UInt8(ascii: "-")) }
            let microseconds = (nanoseconds.magnitude + 500) / 1_000
            line.bytes += String(microseconds / 1_000).utf8
            let rest = microseconds % 1_000
            if rest == 0 { return }
            line.bytes += (rest < 10 ? ".00" : rest < 100 ? ".0" : ".").utf8
            line.bytes += String(rest).utf8
        }
    }

    /// Adds a field with a truth value.
    mutating func add(_ key: String, _ value: Bool) {
        field(key) { $0.bytes += (value ? "true" : "false").utf8 }
    }

    /// Adds a field with a value of a logger's metadata.
    mutating func add(_ key: String, _ value: Logger.MetadataValue) {
        field(key) { line in
            switch line.style {
            case .json: line.appendJSON(value, depth: 0)
            case .text: line.appendText(value)
            }
        }
    }

    /// The line with its line feed.
    consuming func finished() -> [UInt8] {
        switch style {
        case .json: bytes += (isFull ? #","truncated":true}"# : "}").utf8
        case .text: if isFull { bytes += " \(LogText.ellipsis)".utf8 }
        }
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }

    private mutating func field(_ key: String, _ value: (inout LogLine) -> Void) {
        if isFull { return }
        let before = bytes.count
        switch style {
        case .json:
            bytes.append(UInt8(ascii: ","))
            appendQuoted(key, limit: Self.keyMax)
            bytes.append(UInt8(ascii: ":"))
        case .text:
            bytes.append(UInt8(ascii: " "))
            if LogText.isBare(key) {
                LogText.append(key, to: &bytes, limit: Self.keyMax)
            } else {
                appendQuoted(key, limit: Self.keyMax)
            }
            bytes.append(UInt8(ascii: "="))
        }
        value(&self)
        if bytes.count > Self.lengthMax {
            bytes.removeSubrange(before...)
            isFull = true
        }
    }

    private mutating func appendString(_ text: String) {
        if style != .json, LogText.isBare(text) {
            LogText.append(text, to: &bytes, limit: Self.valueMax)
        } else {
            appendQuoted(text, limit: Self.valueMax)
        }
    }

    private mutating func appendQuoted(_ text: String, limit: Int) {
        bytes.append(UInt8(ascii: "\""))
        LogText.append(text, to: &bytes, limit: limit)
        bytes.append(UInt8(ascii: "\""))
    }

    /// JSON has no infinite numbers, so these are texts.
    private mutating func appendNumber(_ number: Double) {
        let text = String(number)
        if number.isFinite { bytes += text.utf8 } else { appendString(text) }
    }

    private mutating func appendText(_ value: Logger.MetadataValue) {
        switch value {
        case .string(let text): appendString(text)
        case .stringConvertible(let value): appendString(value.description)
        case .array, .dictionary: appendQuotedJSON(value)
        }
    }

    /// A value with parts, in a line of text: its JSON, which is quoted for its quotes.
    private mutating func appendQuotedJSON(_ value: Logger.MetadataValue) {
        let before = bytes.count
        appendJSON(value, depth: 0)
        let text = String(decoding: bytes[before...], as: UTF8.self)
        bytes.removeSubrange(before...)
        appendQuoted(text, limit: Self.valueMax)
    }

    private mutating func appendJSON(_ value: Logger.MetadataValue, depth: Int) {
        // A line that is over its length loses the field: no more work on it.
        guard depth < Self.depthMax, bytes.count <= Self.lengthMax else {
            return appendQuoted(LogText.ellipsis, limit: 8)
        }
        switch value {
        case .string(let text): appendQuoted(text, limit: Self.valueMax)
        case .stringConvertible(let value): appendJSON(value)
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                appendJSON(element, depth: depth + 1)
            }
            bytes.append(UInt8(ascii: "]"))
        case .dictionary(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                appendQuoted(member.key, limit: Self.keyMax)
                bytes.append(UInt8(ascii: ":"))
                appendJSON(member.value, depth: depth + 1)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    private static let depthMax = 8

    private mutating func appendJSON(_ value: any CustomStringConvertible & Sendable) {
        switch value {
        case let number as any FixedWidthInteger: bytes += number.description.utf8
        case let number as Double: appendNumber(number)
        case let flag as Bool: bytes += (flag ? "true" : "false").utf8
        default: appendQuoted(value.description, limit: Self.valueMax)
        }
    }
}

extension Logger.Level {
    /// The level in a line of JSON: as zap, the logger of llm-d's endpoint picker, writes the levels that it has.
    fileprivate var jsonWord: String { self == .warning ? "warn" : rawValue }

    /// The colour of the level on a terminal: bold, with yellow for warnings and red for errors.
    fileprivate var colour: String {
        switch self {
        case .trace, .debug, .info, .notice: "\u{1B}[0;1m"
        case .warning: "\u{1B}[0;1;33m"
        case .error, .critical: "\u{1B}[0;1;31m"
        }
    }
}
