/// A form that is not what RFC 2046 and RFC 7578 say, or is over a limit.
struct MultipartFault: Error {}

/// A strict cursor over the parts of one `multipart/form-data` body (RFC 7578): contents are found and not looked at.
///
/// Like ``JSONScanner`` it holds positions only and gets the same bytes with each step. The time is linear in the bytes
/// whatever they are. What two readers could read in two ways is a fault: lines that end otherwise than in CRLF, folded
/// fields, a boundary with something behind it, parts without a name. After a fault the reader must not be used
/// further.
struct MultipartReader: Sendable {
    /// The most parts of a form, and the most bytes of one part's header.
    static let partsMax = 1_000
    static let headerBytesMax = 8 << 10

    /// One part.
    struct Part: Hashable, Sendable {
        /// The part's name.
        let name: String
        /// Whether the part is a file and so no field.
        let isFile: Bool
        /// The bytes of the content.
        let content: Range<Int>
    }

    /// What stands in front of each part but the first: a line end, two hyphens and the boundary.
    private let delimiter: [UInt8]
    private var offset = 0
    private var partCount = 0
    private var isAtEnd = false

    /// Makes a reader. `boundary` must not have line ends; see ``MediaType/boundary``.
    init(boundary: String) {
        delimiter = Array("\r\n--".utf8) + Array(boundary.utf8)
    }

    /// The next part; `nil` behind the last.
    mutating func next(in bytes: RawSpan) throws(MultipartFault) -> Part? {
        if partCount == 0, !isAtEnd { try passPreamble(in: bytes) }
        guard !isAtEnd else { return nil }
        partCount += 1
        guard partCount <= Self.partsMax else { throw MultipartFault() }
        let (name, isFile) = try passHeader(in: bytes)
        let start = offset
        // A delimiter whose line end is that of the header's last line: read by some as an empty part, by some not.
        guard !bytes.holds(delimiter.span, at: start &- 2), let end = bytes.first(delimiter: delimiter, from: start)
        else { throw MultipartFault() }
        offset = end &+ delimiter.count
        try passDelimiterEnd(in: bytes)
        return Part(name: name, isFile: isFile, content: start..<end)
    }

    /// Moves behind the first delimiter, which stands at the start or behind a text that is nobody's.
    private mutating func passPreamble(in bytes: RawSpan) throws(MultipartFault) {
        if bytes.holds(delimiter.span.extracting(2...), at: 0) {
            offset = delimiter.count &- 2
        } else if let start = bytes.first(delimiter: delimiter, from: 0) {
            offset = start &+ delimiter.count
        } else {
            throw MultipartFault()
        }
        try passDelimiterEnd(in: bytes)
    }

    /// Passes what follows a boundary: two hyphens when it was the last, then blanks, then the line's end.
    private mutating func passDelimiterEnd(in bytes: RawSpan) throws(MultipartFault) {
        if bytes.matches("--", at: offset) {
            offset &+= 2
            isAtEnd = true
        }
        while offset < bytes.byteCount, bytes.byte(at: offset) == 0x20 || bytes.byte(at: offset) == 0x09 {
            offset &+= 1
        }
        if isAtEnd, offset == bytes.byteCount { return }
        guard bytes.matches("\r\n", at: offset) else { throw MultipartFault() }
        offset &+= 2
    }

    /// Passes the header of a part and the empty line behind it, and returns what it says of the part.
    private mutating func passHeader(in bytes: RawSpan) throws(MultipartFault) -> (name: String, isFile: Bool) {
        let limit = min(bytes.byteCount, offset &+ Self.headerBytesMax)
        var disposition: (name: String, isFile: Bool)?
        while !bytes.matches("\r\n", at: offset) {
            let start = offset
            while offset < limit, bytes.byte(at: offset).isTokenByte { offset &+= 1 }
            let nameEnd = offset
            guard nameEnd > start, nameEnd < limit, bytes.byte(at: nameEnd) == UInt8(ascii: ":") else {
                throw MultipartFault()
            }
            while offset < limit, bytes.byte(at: offset) >= 0x20 || bytes.byte(at: offset) == 0x09 { offset &+= 1 }
            guard offset < limit, bytes.matches("\r\n", at: offset) else { throw MultipartFault() }
            if bytes.isContentDisposition(start..<nameEnd) {
                guard disposition == nil else { throw MultipartFault() }
                disposition = try Self.disposition(bytes.extracting(nameEnd &+ 1..<offset))
            }
            offset &+= 2
        }
        guard let disposition else { throw MultipartFault() }
        offset &+= 2
        return disposition
    }

    /// What a `Content-Disposition` says of its part.
    private static func disposition(_ value: RawSpan) throws(MultipartFault) -> (name: String, isFile: Bool) {
        var start = 0
        while start < value.byteCount, value.byte(at: start) == 0x20 || value.byte(at: start) == 0x09 { start &+= 1 }
        let field = ParameterizedField(value.extracting(start..<value.byteCount))
        guard field.value == "form-data", field.isWhole, let name = field.only("name"), !field.has("name*") else {
            throw MultipartFault()
        }
        return (name, field.has("filename") || field.has("filename*"))
    }
}

extension RawSpan {
    /// Whether the bytes at `offset` are `needle`; false when they would not lie within the span.
    fileprivate func holds(_ needle: Span<UInt8>, at offset: Int) -> Bool {
        guard offset >= 0, needle.count <= byteCount &- offset else { return false }
        for index in 0..<needle.count where byte(at: offset &+ index) != needle[index] { return false }
        return true
    }

    /// Whether the bytes in `range` are `content-disposition` in capitals or small letters.
    fileprivate func isContentDisposition(_ range: Range<Int>) -> Bool {
        let name: StaticString = "content-disposition"
        guard range.count == name.utf8CodeUnitCount else { return false }
        for index in 0..<range.count {
            let byte = byte(at: range.lowerBound &+ index)
            let lowered = byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
            if lowered != name.utf8Start[index] { return false }
        }
        return true
    }
}
