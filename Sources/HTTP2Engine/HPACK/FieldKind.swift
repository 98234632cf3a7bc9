/// What the engine knows about a header field by its name.
enum FieldKind: UInt8 {
    case other
    case method
    case path
    case scheme
    case authority
    /// A pseudo-header that no request has.
    case foreignPseudo
    case contentType
    case contentLength
    case te
    /// A field about the connection, which HTTP/2 has other means for (RFC 9113, 8.2.2).
    case connectionSpecific

    /// The kind of a name.
    init(_ range: Range<Int>, of bytes: RawSpan) {
        guard !range.isEmpty else {
            self = .other
            return
        }
        if bytes.byte(at: range.lowerBound) == UInt8(ascii: ":") {
            self = Self.pseudo(range, bytes)
        } else {
            self = Self.regular(range, bytes)
        }
    }

    private static func pseudo(_ range: Range<Int>, _ bytes: RawSpan) -> FieldKind {
        switch range.count {
        case 5 where bytes.isEqual(range, ":path"): .path
        case 7 where bytes.isEqual(range, ":method"): .method
        case 7 where bytes.isEqual(range, ":scheme"): .scheme
        case 10 where bytes.isEqual(range, ":authority"): .authority
        default: .foreignPseudo
        }
    }

    private static func regular(_ range: Range<Int>, _ bytes: RawSpan) -> FieldKind {
        switch range.count {
        case 2 where bytes.isEqual(range, "te"): .te
        case 7 where bytes.isEqual(range, "upgrade"): .connectionSpecific
        case 10 where bytes.isEqual(range, "connection"): .connectionSpecific
        case 10 where bytes.isEqual(range, "keep-alive"): .connectionSpecific
        case 12 where bytes.isEqual(range, "content-type"): .contentType
        case 14 where bytes.isEqual(range, "content-length"): .contentLength
        case 16 where bytes.isEqual(range, "proxy-connection"): .connectionSpecific
        case 17 where bytes.isEqual(range, "transfer-encoding"): .connectionSpecific
        default: .other
        }
    }

    /// Whether it is a pseudo-header.
    @inline(__always)
    var isPseudo: Bool { FieldKind.method.rawValue...FieldKind.foreignPseudo.rawValue ~= rawValue }
}

/// Which bytes a field may be made of.
enum FieldBytes {
    /// The bytes of tokens (RFC 9110, 5.6.2) without capital letters: bit `b & 63` of word `b >> 6`.
    private static let token: InlineArray<4, UInt64> = {
        var words: InlineArray<4, UInt64> = [0, 0, 0, 0]
        for byte in "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz".utf8 {
            words[Int(byte >> 6)] |= 1 << UInt64(byte & 63)
        }
        return words
    }()

    /// Whether the bytes are a field's name (RFC 9113, 8.2.1); those of pseudo-headers are told by their kind.
    static func isName(_ range: Range<Int>, of bytes: RawSpan) -> Bool {
        guard !range.isEmpty else { return false }
        let token = token
        for offset in range {
            let byte = bytes.byte(at: offset)
            if token[Int(byte &>> 6)] &>> UInt64(byte & 63) & 1 == 0 { return false }
        }
        return true
    }

    /// Whether the bytes may be a field's value: no NUL, CR or LF, and no white space around it.
    static func isValue(_ range: Range<Int>, of bytes: RawSpan) -> Bool {
        guard !range.isEmpty else { return true }
        guard !isSpace(bytes.byte(at: range.lowerBound)), !isSpace(bytes.byte(at: range.upperBound &- 1)) else {
            return false
        }
        for offset in range {
            let byte = bytes.byte(at: offset)
            if byte < 0x20, byte == 0 || byte == 0x0A || byte == 0x0D { return false }
        }
        return true
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
