import FoundationEssentials

/// Takes members out of one JSON object while its bytes come, and the elements of one array in it one by one.
///
/// It finds where values end and leaves what they are to a decoder, so that a value that makes no sense spoils nobody
/// else, a long list needs no more memory than its largest element, and nothing is kept of what nobody asked for. Only
/// the structure around the values is checked.
struct JSONMemberScanner {
    /// The bytes of a value.
    struct Value {
        /// The bytes, or as many of them as may be kept.
        var bytes = Data()
        /// Whether there were more.
        var isTruncated = false
    }

    private enum Place {
        case beforeObject
        case beforeMember
        case inName
        case beforeColon
        case beforeValue
        case inValue
        case afterMember
        case beforeElement
        case inElement
        case afterElement
        case afterObject
    }

    /// Which members are kept.
    private let wanted: Set<String>
    /// The member whose elements are given one by one.
    private let list: String?
    /// The most bytes that are kept of a value.
    private let maximumValueBytes: Int
    private var place = Place.beforeObject
    private var name: [UInt8] = []
    private var nameEnds = JSONValueEnd()
    private var valueEnds = JSONValueEnd()
    private var value = Value()
    /// The wanted members so far; of one that is there twice, the last.
    private(set) var members: [String: Value] = [:]
    /// Whether the array was there, or `null` in its place.
    private(set) var sawList = false
    /// The bytes so far.
    private(set) var offset = 0

    /// Makes a scanner that keeps the members `wanted` and gives the elements of the member `list`.
    init(keeping wanted: Set<String>, elementsOf list: String? = nil, maximumValueBytes: Int) {
        self.wanted = wanted
        self.list = list
        self.maximumValueBytes = maximumValueBytes
    }

    /// Whether the object has ended.
    var isComplete: Bool { place == .afterObject }

    /// What has come of the member that has not ended yet; `nil` when it is not a wanted one.
    var unfinished: (name: String, value: Value)? {
        guard place == .inValue, let member = wantedMember else { return nil }
        return (member, value)
    }

    private var wantedMember: String? {
        let member = String(decoding: name, as: UTF8.self)
        return wanted.contains(member) ? member : nil
    }

    /// Takes the next bytes.
    ///
    /// - Parameter onElement: is given each element that has come to its end.
    /// - Throws: when the structure is not that of an object. Nothing can be read any more then.
    mutating func scan(_ bytes: Span<UInt8>, onElement: (Value) -> Void = { _ in }) throws(JSONStructureError) {
        var index = 0
        while index < bytes.count {
            switch place {
            case .inName, .inValue, .inElement: index = take(bytes, from: index, onElement: onElement)
            default:
                let byte = bytes[index]
                if !JSONValueEnd.isWhitespace(byte) {
                    guard let next = place(after: byte) else {
                        throw JSONStructureError(offset: offset + index, byte: byte)
                    }
                    place = next
                    // The first byte of a value belongs to it.
                    if next == .inValue || next == .inElement { continue }
                }
                index += 1
            }
        }
        offset += bytes.count
    }

    /// Where the scan is after a byte between names and values; `nil` when the byte may not stand there.
    private mutating func place(after byte: UInt8) -> Place? {
        switch (place, byte) {
        case (.beforeObject, UInt8(ascii: "{")): return .beforeMember
        case (.beforeMember, UInt8(ascii: "\"")):
            name.removeAll(keepingCapacity: true)
            nameEnds = JSONValueEnd(inString: true)
            return .inName
        case (.beforeMember, UInt8(ascii: "}")), (.afterMember, UInt8(ascii: "}")): return .afterObject
        case (.beforeColon, UInt8(ascii: ":")): return .beforeValue
        case (.beforeValue, UInt8(ascii: "[")) where isList:
            sawList = true
            return .beforeElement
        case (.beforeValue, _):
            if isList, byte == UInt8(ascii: "n") { sawList = true }
            return beginValue(byte) ? .inValue : nil
        case (.afterMember, UInt8(ascii: ",")): return .beforeMember
        case (.beforeElement, UInt8(ascii: "]")), (.afterElement, UInt8(ascii: "]")): return .afterMember
        case (.beforeElement, _): return beginValue(byte) ? .inElement : nil
        case (.afterElement, UInt8(ascii: ",")): return .beforeElement
        default: return nil
        }
    }

    private var isList: Bool {
        guard let list else { return false }
        return name.elementsEqual(list.utf8)
    }

    /// Whether a value may begin with the byte.
    private mutating func beginValue(_ byte: UInt8) -> Bool {
        guard ![UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "]"), UInt8(ascii: "}")].contains(byte) else {
            return false
        }
        valueEnds = JSONValueEnd()
        value = Value()
        return true
    }

    /// Takes the bytes of a name or a value from `index` on, and returns the index after them.
    private mutating func take(_ bytes: Span<UInt8>, from index: Int, onElement: (Value) -> Void) -> Int {
        if place == .inName {
            let end = nameEnds.find(in: bytes, from: index)
            for position in index..<(end ?? bytes.count) where name.count < 256 { name.append(bytes[position]) }
            guard let end else { return bytes.count }
            if name.last == UInt8(ascii: "\"") { name.removeLast() }
            place = .beforeColon
            return end
        }
        let end = valueEnds.find(in: bytes, from: index)
        let isKept = place == .inElement || wantedMember != nil
        if isKept { keep(bytes, index..<(end ?? bytes.count)) }
        guard let end else { return bytes.count }
        if place == .inElement {
            onElement(value)
            place = .afterElement
        } else {
            if isKept { members[String(decoding: name, as: UTF8.self)] = value }
            place = .afterMember
        }
        value = Value()
        return end
    }

    private mutating func keep(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        let kept = min(range.count, maximumValueBytes - value.bytes.count)
        if kept < range.count { value.isTruncated = true }
        bytes.extracting(range.prefix(kept)).withUnsafeBufferPointer { value.bytes.append($0) }
    }
}

/// Finds the end of one JSON value.
struct JSONValueEnd {
    private enum Kind {
        case unknown
        case string
        case structure
        case scalar
    }

    private var kind = Kind.unknown
    private var depth = 0
    private var isInString = false
    private var isEscaped = false

    /// Begins before a value.
    init() {}

    /// Begins behind the quotation mark that opens a string.
    init(inString: Bool) {
        kind = inString ? .string : .unknown
        isInString = inString
    }

    /// The index after the value's last byte; `nil` when it goes on behind `bytes`.
    mutating func find(in bytes: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        while index < bytes.count {
            let byte = bytes[index]
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                    if depth == 0 { return index + 1 }
                }
            } else if byte == UInt8(ascii: "\"") {
                if kind == .scalar { return index }
                isInString = true
                if kind == .unknown { kind = .string }
            } else if byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") {
                if kind == .scalar { return index }
                kind = .structure
                depth += 1
            } else if kind == .structure {
                if byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") {
                    depth -= 1
                    if depth == 0 { return index + 1 }
                }
            } else {
                if kind == .scalar, Self.isDelimiter(byte) { return index }
                kind = .scalar
            }
            index += 1
        }
        return nil
    }

    /// Whether the byte may stand between the parts of a structure without meaning.
    static func isWhitespace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }

    private static func isDelimiter(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") || isWhitespace(byte)
    }
}

/// A byte stands where JSON has none of its kind.
struct JSONStructureError: Error, CustomStringConvertible {
    /// How many bytes stand before it.
    let offset: Int
    /// The byte.
    let byte: UInt8

    var description: String {
        let shown =
            (0x21...0x7E).contains(byte)
            ? "\"\(Character(UnicodeScalar(byte)))\"" : "byte 0x" + String(byte, radix: 16, uppercase: true)
        return "not JSON: \(shown) at byte \(offset)"
    }
}
