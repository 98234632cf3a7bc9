/// The wire types of protobuf.
enum WireType {
    static let varint: UInt8 = 0
    static let fixed64: UInt8 = 1
    static let bytes: UInt8 = 2
    static let groupStart: UInt8 = 3
    static let groupEnd: UInt8 = 4
    static let fixed32: UInt8 = 5
}

/// The tag of a field: its number and wire type, and where it stands.
struct WireField {
    let number: UInt32
    let type: UInt8
    let offset: Int
}

/// A cursor over the fields of one message: ``nextField(in:)``, then the function for the field's type or
/// ``skip(_:in:)``.
///
/// It holds positions only, and each step gets the same bytes again, because a span cannot be stored. Everything is
/// checked against the message's own end, and nothing is allocated. Readers of nested messages share the bytes, so all
/// offsets count from the start of the outermost message.
struct WireReader {
    private(set) var offset: Int
    private let end: Int
    private let message: WireMessage
    private let nestingLeft: Int

    /// Reads the outermost message, which is all of `bytes`.
    init(_ message: WireMessage, in bytes: RawSpan, limits: WireLimits) {
        self.init(message, at: 0..<bytes.byteCount, nestingLeft: limits.nesting)
    }

    /// Reads the message in `range`, which must lie within the bytes.
    init(_ message: WireMessage, at range: Range<Int>, nestingLeft: Int) {
        offset = range.lowerBound
        end = range.upperBound
        self.message = message
        self.nestingLeft = nestingLeft
    }

    // MARK: - Fields

    /// Moves to the content of the next field and returns its tag; `nil` at the end of the message.
    @inline(__always)
    mutating func nextField(in bytes: RawSpan) throws(WireError) -> WireField? {
        guard offset < end else { return nil }
        let field = try tag(in: bytes)
        guard field.type != WireType.groupEnd else { throw error(.unmatchedGroupEnd, field) }
        return field
    }

    /// The range of the content of a `bytes` field. Moves behind it.
    @inline(__always)
    mutating func bytes(_ field: WireField, in bytes: RawSpan) throws(WireError) -> Range<Int> {
        try expect(WireType.bytes, field)
        let length = try length(field, in: bytes)
        guard length <= end &- offset else { throw error(.truncated, field) }
        let start = offset
        offset &+= length
        return start..<offset
    }

    /// The range of the content of a `string` field, which is UTF-8. Moves behind it.
    @inline(__always)
    mutating func string(_ field: WireField, in bytes: RawSpan) throws(WireError) -> Range<Int> {
        let range = try self.bytes(field, in: bytes)
        if let invalid = bytes.firstInvalidUTF8(in: range) {
            throw WireError(.invalidUTF8, at: invalid, in: message, field: field.number)
        }
        return range
    }

    /// A reader of the message that a field holds. Moves behind it.
    @inline(__always)
    mutating func message(
        _ field: WireField,
        as message: WireMessage,
        in bytes: RawSpan
    ) throws(WireError) -> WireReader {
        let range = try self.bytes(field, in: bytes)
        guard nestingLeft > 0 else { throw error(.nestedTooDeeply, field) }
        return WireReader(message, at: range, nestingLeft: nestingLeft &- 1)
    }

    /// The value of a `bool` field: any number but 0 is true. Moves behind it.
    @inline(__always)
    mutating func boolean(_ field: WireField, in bytes: RawSpan) throws(WireError) -> Bool {
        try expect(WireType.varint, field)
        return try varint(field, in: bytes) != 0
    }

    /// The value of an enum's field: the low 32 bits, as protobuf has it. Moves behind it.
    @inline(__always)
    mutating func enumeration(_ field: WireField, in bytes: RawSpan) throws(WireError) -> Int32 {
        try expect(WireType.varint, field)
        return Int32(truncatingIfNeeded: try varint(field, in: bytes))
    }

    /// The value of a `double` field. Moves behind it.
    mutating func double(_ field: WireField, in bytes: RawSpan) throws(WireError) -> Double {
        try expect(WireType.fixed64, field)
        guard end &- offset >= 8 else { throw error(.truncated, field) }
        let bits = bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
        offset &+= 8
        return Double(bitPattern: UInt64(littleEndian: bits))
    }

    /// Moves behind the content of a field that is not read, whatever its type.
    mutating func skip(_ field: WireField, in bytes: RawSpan) throws(WireError) {
        try skip(field, in: bytes, nestingLeft: nestingLeft)
    }

    /// The fault at a field's tag.
    func error(_ code: WireError.Code, _ field: WireField) -> WireError {
        WireError(code, at: field.offset, in: message, field: field.number)
    }

    // MARK: - Bytes

    private mutating func skip(_ field: WireField, in bytes: RawSpan, nestingLeft: Int) throws(WireError) {
        switch field.type {
        case WireType.varint: _ = try varint(field, in: bytes)
        case WireType.bytes: _ = try self.bytes(field, in: bytes)
        case WireType.fixed64: try pass(8, field)
        case WireType.fixed32: try pass(4, field)
        default: try skipGroup(field, in: bytes, nestingLeft: nestingLeft)
        }
    }

    private mutating func skipGroup(_ group: WireField, in bytes: RawSpan, nestingLeft: Int) throws(WireError) {
        guard nestingLeft > 0 else { throw error(.nestedTooDeeply, group) }
        while true {
            guard offset < end else { throw error(.truncated, group) }
            let field = try tag(in: bytes)
            guard field.type != WireType.groupEnd else {
                guard field.number == group.number else { throw error(.unmatchedGroupEnd, field) }
                return
            }
            try skip(field, in: bytes, nestingLeft: nestingLeft &- 1)
        }
    }

    private mutating func pass(_ count: Int, _ field: WireField) throws(WireError) {
        guard count <= end &- offset else { throw error(.truncated, field) }
        offset &+= count
    }

    @inline(__always)
    private func expect(_ type: UInt8, _ field: WireField) throws(WireError) {
        guard field.type == type else { throw error(.wrongWireType(found: field.type, expected: type), field) }
    }

    /// The tag at the offset, which is before the end. Moves behind it.
    @inline(__always)
    private mutating func tag(in bytes: RawSpan) throws(WireError) -> WireField {
        let start = offset
        let first = bytes.byte(at: offset)
        let tag: UInt32
        if first < 0x80 {
            offset &+= 1
            tag = UInt32(first)
        } else {
            let field = WireField(number: 0, type: 0, offset: start)
            tag = try shortVarint(field, in: bytes, limit: UInt64(UInt32.max))
        }
        let field = WireField(number: tag &>> 3, type: UInt8(truncatingIfNeeded: tag & 7), offset: start)
        guard field.number != 0, field.type <= WireType.fixed32 else { throw error(.invalidTag, field) }
        return field
    }

    @inline(__always)
    private mutating func length(_ field: WireField, in bytes: RawSpan) throws(WireError) -> Int {
        if offset < end {
            let first = bytes.byte(at: offset)
            if first < 0x80 {
                offset &+= 1
                return Int(first)
            }
        }
        return Int(try shortVarint(field, in: bytes, limit: UInt64(Int32.max)))
    }

    /// A varint of at most 5 bytes, as tags and lengths are.
    @inline(never)
    private mutating func shortVarint(
        _ field: WireField,
        in bytes: RawSpan,
        limit: UInt64
    ) throws(WireError) -> UInt32 {
        let value = try longVarint(field, in: bytes, most: 5)
        guard value <= limit else { throw error(.numberTooLarge, field) }
        return UInt32(truncatingIfNeeded: value)
    }

    @inline(__always)
    private mutating func varint(_ field: WireField, in bytes: RawSpan) throws(WireError) -> UInt64 {
        if offset < end {
            let first = bytes.byte(at: offset)
            if first < 0x80 {
                offset &+= 1
                return UInt64(first)
            }
        }
        return try longVarint(field, in: bytes, most: 10)
    }

    /// A varint of any length up to `most` bytes. Bits beyond the 64th are dropped, as protobuf has it.
    @inline(never)
    private mutating func longVarint(
        _ field: WireField,
        in bytes: RawSpan,
        most: Int
    ) throws(WireError) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<most {
            guard offset < end else { throw error(.truncated, field) }
            let byte = bytes.byte(at: offset)
            offset &+= 1
            value |= UInt64(byte & 0x7F) &<< UInt64(7 &* index)
            if byte < 0x80 { return value }
        }
        throw error(.varintTooLong, field)
    }
}
