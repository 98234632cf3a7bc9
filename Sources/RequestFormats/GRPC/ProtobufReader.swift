/// A cursor over the fields of one protobuf message (protobuf.dev, "Encoding"), for the few messages that are read.
///
/// It holds positions only; each step gets the same bytes again, because a span cannot be stored. Everything is checked
/// against the message's own end. Groups, which proto3 does not have, are refused.
struct ProtobufReader {
    /// One field.
    struct Field {
        let number: UInt32
        let content: Content
        /// The content's bytes, without a length in front.
        let range: Range<Int>
        /// Where the field's tag stands.
        let offset: Int
    }

    /// What a field holds, by its wire type.
    enum Content {
        case varint(UInt64)
        case bytes
        /// Four or eight bytes, which nothing here reads.
        case fixed
    }

    private var offset: Int
    private let end: Int

    /// Reads the message in `range`, which must lie within the bytes.
    init(at range: Range<Int>) {
        offset = range.lowerBound
        end = range.upperBound
    }

    /// The next field; `nil` at the end of the message.
    ///
    /// - Throws: ``FormatError`` `invalidMessage`.
    mutating func next(in bytes: RawSpan) throws(FormatError) -> Field? {
        guard offset < end else { return nil }
        let start = offset
        let tag = try varint(in: bytes)
        guard let tag = UInt32(exactly: tag), tag >> 3 != 0 else {
            throw fault("a field has an invalid tag", at: start)
        }
        let contentStart = offset
        var content = Content.fixed
        switch tag & 7 {
        case 0:
            content = .varint(try varint(in: bytes))
        case 1:
            try skip(8, from: start)
        case 2:
            content = .bytes
            let length = try varint(in: bytes)
            let first = offset
            try skip(Int(clamping: length), from: start)
            return Field(number: tag >> 3, content: content, range: first..<offset, offset: start)
        case 5:
            try skip(4, from: start)
        default:
            throw fault("a field has an unknown wire type", at: start)
        }
        return Field(number: tag >> 3, content: content, range: contentStart..<offset, offset: start)
    }

    /// The number of varints that fill `range`, which is a packed field.
    ///
    /// - Throws: ``FormatError`` `invalidMessage`, when the last is cut off or one is too long.
    static func varintCount(in range: Range<Int>, of bytes: RawSpan) throws(FormatError) -> Int {
        var reader = ProtobufReader(at: range)
        var count = 0
        while reader.offset < reader.end {
            _ = try reader.varint(in: bytes)
            count &+= 1
        }
        return count
    }

    /// A varint of at most ten bytes; bits beyond the 64th are dropped, as protobuf has it.
    private mutating func varint(in bytes: RawSpan) throws(FormatError) -> UInt64 {
        let start = offset
        var value: UInt64 = 0
        for index in 0..<10 {
            guard offset < end else { throw fault("the bytes end within a field", at: start) }
            let byte = bytes.byte(at: offset)
            offset &+= 1
            value |= UInt64(byte & 0x7F) &<< UInt64(7 &* index)
            if byte < 0x80 { return value }
        }
        throw fault("a number has too many bytes", at: start)
    }

    private mutating func skip(_ count: Int, from start: Int) throws(FormatError) {
        guard count <= end &- offset else { throw fault("the bytes end within a field", at: start) }
        offset &+= count
    }

    private func fault(_ message: String, at offset: Int) -> FormatError {
        FormatError(.invalidMessage, "the request body is not a valid protobuf message: \(message)", byteOffset: offset)
    }
}
