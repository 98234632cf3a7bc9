/// The types of JSON values.
package enum JSONKind: Hashable, Sendable {
    case object, array, string, number, boolean, null

    /// The type with its article, for error messages.
    package var phrase: StaticString {
        switch self {
        case .object: "an object"
        case .array: "an array"
        case .string: "a string"
        case .number: "a number"
        case .boolean: "a boolean"
        case .null: "null"
        }
    }
}

/// Where a JSON value stands in its document.
package struct JSONValue: Hashable, Sendable {
    /// The value's type.
    package let kind: JSONKind
    /// The value's bytes: with the quotes of a string and the brackets of a container, without white space around it.
    package let range: Range<Int>
    /// Whether the value is a string with at least one backslash.
    package let hasEscapes: Bool
}

/// A strict cursor over one JSON document (RFC 8259): it validates every byte that it passes and allocates nothing.
///
/// The scanner holds positions only; each step gets the same bytes again, because a span cannot be stored. A caller
/// walks the document in order: ``enterObject(in:)`` and ``nextKey(in:)``, ``enterArray(in:)`` and
/// ``nextElement(in:)``, and for each value either enters it or takes its range with ``skipValue(in:)``. When the
/// caller has ended with ``finish(in:)``, the whole document is known to be valid: grammar, UTF-8, escapes, numbers
/// and nesting.
///
/// An escape of half a surrogate pair is taken, as the grammar of RFC 8259 has it (§8.2 only warns of it);
/// ``JSONValue/string(in:)`` refuses to decode one. Nothing here recurses: depth costs a bit each, up to
/// ``deepestLimit``. After an error the scanner's position is undefined and it must not be used further.
package struct JSONScanner: Sendable {
    /// The largest depth limit that can be set; larger ones are lowered to it.
    package static let deepestLimit = 1024

    /// The offset of the next byte that is looked at.
    package private(set) var offset: Int
    private var depth = 0
    private let depthLimit: Int
    /// Whether a container was just entered, so that the next entry has no comma in front.
    private var isAtFirstEntry = false

    /// Makes a scanner for a document.
    /// - Parameters:
    ///   - offset: where the document starts.
    ///   - depthLimit: the deepest nesting of objects and arrays, 1 to ``deepestLimit``.
    package init(at offset: Int = 0, depthLimit: Int = 128) {
        self.offset = offset
        self.depthLimit = min(max(depthLimit, 1), Self.deepestLimit)
    }

    /// The type of the value that comes next, told from its first byte. Moves to that byte.
    package mutating func nextKind(in bytes: RawSpan) throws(FormatError) -> JSONKind {
        let byte = try nextByte(in: bytes, expected: "a value")
        switch byte {
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .boolean
        case UInt8(ascii: "n"): return .null
        default: throw JSONFault.unexpectedByte(byte, expected: "a value").error(at: offset)
        }
    }

    /// Enters the object that comes next.
    package mutating func enterObject(in bytes: RawSpan) throws(FormatError) {
        try expect(UInt8(ascii: "{"), in: bytes, expected: "an object")
        try descend()
    }

    /// Enters the array that comes next.
    package mutating func enterArray(in bytes: RawSpan) throws(FormatError) {
        try expect(UInt8(ascii: "["), in: bytes, expected: "an array")
        try descend()
    }

    /// Moves to the value of the next member of the object that was entered and returns its key; leaves the object and
    /// returns `nil` behind its last member.
    package mutating func nextKey(in bytes: RawSpan) throws(FormatError) -> JSONValue? {
        var byte = try nextByte(in: bytes, expected: "',' or '}'")
        if byte == UInt8(ascii: "}") {
            ascend()
            return nil
        }
        if !isAtFirstEntry {
            try expect(UInt8(ascii: ","), in: bytes, expected: "',' or '}'")
            byte = try nextByte(in: bytes, expected: "a key")
        }
        guard byte == UInt8(ascii: "\"") else {
            throw JSONFault.unexpectedByte(byte, expected: "a key").error(at: offset)
        }
        let start = offset
        let hasEscapes = try passString(in: bytes)
        let key = JSONValue(kind: .string, range: start..<offset, hasEscapes: hasEscapes)
        try expect(UInt8(ascii: ":"), in: bytes, expected: "':'")
        isAtFirstEntry = false
        return key
    }

    /// Moves to the next element of the array that was entered and returns true; leaves the array and returns false
    /// behind its last element.
    package mutating func nextElement(in bytes: RawSpan) throws(FormatError) -> Bool {
        let byte = try nextByte(in: bytes, expected: "',' or ']'")
        if byte == UInt8(ascii: "]") {
            ascend()
            return false
        }
        if !isAtFirstEntry {
            try expect(UInt8(ascii: ","), in: bytes, expected: "',' or ']'")
        }
        isAtFirstEntry = false
        return true
    }

    /// Validates the value that comes next, with all that it holds, and returns where it stands.
    package mutating func skipValue(in bytes: RawSpan) throws(FormatError) -> JSONValue {
        let kind = try nextKind(in: bytes)
        let start = offset
        var hasEscapes = false
        switch kind {
        case .string: hasEscapes = try passString(in: bytes)
        case .object, .array: try passContainer(kind, in: bytes)
        case .number, .boolean, .null: try passPlainScalar(kind, in: bytes)
        }
        return JSONValue(kind: kind, range: start..<offset, hasEscapes: hasEscapes)
    }

    /// Passes the value that comes next when it is an integer from 0 to `UInt32.max` and returns it; returns `nil`
    /// and only moves to the value when it is anything else. A number in an unusual notation, such as `1e1`, counts
    /// as well.
    package mutating func nextTokenID(in bytes: RawSpan) throws(FormatError) -> UInt32? {
        skipWhitespace(in: bytes)
        if let id = JSONLexer.passPlainTokenID(in: bytes, from: &offset) { return id }
        guard try nextKind(in: bytes) == .number else { return nil }
        let start = offset
        try JSONLexer.passNumber(in: bytes, from: &offset)
        if let value = JSONText.nonNegativeInteger(start..<offset, in: bytes), let id = UInt32(exactly: value) {
            return id
        }
        offset = start
        return nil
    }

    /// Checks that nothing but white space follows the document.
    package mutating func finish(in bytes: RawSpan) throws(FormatError) {
        skipWhitespace(in: bytes)
        guard offset == bytes.byteCount else { throw JSONFault.trailingBytes.error(at: offset) }
    }

    // MARK: - Containers

    private mutating func descend() throws(FormatError) {
        guard depth < depthLimit else { throw JSONFault.nestedTooDeeply(limit: depthLimit).error(at: offset &- 1) }
        depth &+= 1
        isAtFirstEntry = true
    }

    private mutating func ascend() {
        offset &+= 1
        depth &-= 1
        isAtFirstEntry = false
    }

    private mutating func passContainer(_ kind: JSONKind, in bytes: RawSpan) throws(FormatError) {
        var open = OpenContainers()
        try enter(kind, in: bytes, &open)
        while let isObject = open.innermostIsObject {
            let hasEntry = isObject ? try nextKey(in: bytes) != nil : try nextElement(in: bytes)
            guard hasEntry else {
                open.pop()
                continue
            }
            let kind = try nextKind(in: bytes)
            switch kind {
            case .string: _ = try passString(in: bytes)
            case .object, .array: try enter(kind, in: bytes, &open)
            case .number, .boolean, .null: try passPlainScalar(kind, in: bytes)
            }
        }
    }

    private mutating func enter(
        _ kind: JSONKind,
        in bytes: RawSpan,
        _ open: inout OpenContainers
    ) throws(FormatError) {
        offset &+= 1
        try descend()
        open.push(isObject: kind == .object)
    }

    // MARK: - Bytes

    @inline(__always)
    private mutating func skipWhitespace(in bytes: RawSpan) {
        while offset < bytes.byteCount {
            let byte = bytes.byte(at: offset)
            guard byte <= 0x20, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return }
            offset &+= 1
        }
    }

    /// The next byte that is not white space. Moves to it.
    @inline(__always)
    private mutating func nextByte(in bytes: RawSpan, expected: StaticString) throws(FormatError) -> UInt8 {
        skipWhitespace(in: bytes)
        guard offset < bytes.byteCount else { throw JSONFault.endOfInput(expected: expected).error(at: offset) }
        return bytes.byte(at: offset)
    }

    /// Moves behind `byte`, which must be the next byte that is not white space.
    @inline(__always)
    private mutating func expect(_ byte: UInt8, in bytes: RawSpan, expected: StaticString) throws(FormatError) {
        let found = try nextByte(in: bytes, expected: expected)
        guard found == byte else { throw JSONFault.unexpectedByte(found, expected: expected).error(at: offset) }
        offset &+= 1
    }

    private mutating func passString(in bytes: RawSpan) throws(FormatError) -> Bool {
        try JSONLexer.passString(in: bytes, from: &offset)
    }

    private mutating func passPlainScalar(_ kind: JSONKind, in bytes: RawSpan) throws(FormatError) {
        if kind == .number {
            try JSONLexer.passNumber(in: bytes, from: &offset)
        } else {
            try JSONLexer.passLiteral(in: bytes, from: &offset)
        }
    }
}

/// The open containers of a value that is being skipped, one bit each: set for an object.
private struct OpenContainers {
    private var bits = InlineArray<16, UInt64>(repeating: 0)
    private var count = 0

    /// Whether the innermost container is an object; `nil` when none is open.
    var innermostIsObject: Bool? {
        guard count > 0 else { return nil }
        let last = count &- 1
        return bits[last &>> 6] & (1 &<< UInt64(last & 63)) != 0
    }

    /// Opens one more; the scanner's depth limit keeps the count within the bits.
    mutating func push(isObject: Bool) {
        let mask: UInt64 = 1 &<< UInt64(count & 63)
        if isObject {
            bits[count &>> 6] |= mask
        } else {
            bits[count &>> 6] &= ~mask
        }
        count &+= 1
    }

    mutating func pop() {
        count &-= 1
    }
}
