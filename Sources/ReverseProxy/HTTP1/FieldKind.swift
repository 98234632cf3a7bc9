import GatewayCore

/// What a proxy does with a header field, by its name.
enum FieldKind {
    /// It goes on as it is.
    case endToEnd
    /// It names the host that a request is for, and goes on whatever `connection` says.
    case host
    /// It belongs to one connection and ends here (RFC 9110, 7.6.1).
    case hopByHop
    /// `connection` itself, which lists more such fields.
    case connection
    /// The length of the body, which the proxy writes itself.
    case contentLength
    /// The coding of the body, which the proxy writes itself.
    case transferEncoding
    /// The addresses that a request came through, to which the proxy adds one.
    case forwardedFor
    /// The protocol that a client spoke, which the proxy adds when it is missing.
    case forwardedProto
    /// The media type of the body.
    case contentType

    /// Sorts a field by its name. The length decides for nearly all fields, so that hardly anything is compared.
    @inline(__always)
    init(_ name: UnsafeRawBufferPointer) {
        self =
            switch name.count {
            case 2 where name.equalsIgnoringASCIICase("te"): .hopByHop
            case 4 where name.equalsIgnoringASCIICase("host"): .host
            case 6 where name.equalsIgnoringASCIICase("expect"): .hopByHop
            case 7 where name.equalsIgnoringASCIICase("upgrade") || name.equalsIgnoringASCIICase("trailer"): .hopByHop
            case 10 where name.equalsIgnoringASCIICase("connection"): .connection
            case 10 where name.equalsIgnoringASCIICase("keep-alive"): .hopByHop
            case 12 where name.equalsIgnoringASCIICase("content-type"): .contentType
            case 14 where name.equalsIgnoringASCIICase("content-length"): .contentLength
            case 15 where name.equalsIgnoringASCIICase("x-forwarded-for"): .forwardedFor
            case 16 where name.equalsIgnoringASCIICase("proxy-connection"): .hopByHop
            case 17 where name.equalsIgnoringASCIICase("transfer-encoding"): .transferEncoding
            case 17 where name.equalsIgnoringASCIICase("x-forwarded-proto"): .forwardedProto
            default: .endToEnd
            }
    }

    /// Whether the field says where a message ends or what becomes of its connection: nobody but the proxy writes it.
    var isFraming: Bool {
        switch self {
        case .hopByHop, .connection, .contentLength, .transferEncoding: true
        case .endToEnd, .host, .forwardedFor, .forwardedProto, .contentType: false
        }
    }
}

/// The fields that `connection` lists, which end here too.
struct ConnectionOptions {
    /// Where the names stand; hardly any message has one.
    private(set) var listed: [Range<Int>] = []
    /// Whether `close` is listed.
    private(set) var closes = false
    /// Whether `keep-alive` is listed.
    private(set) var keepsAlive = false

    /// Adds the members of one `connection` field.
    mutating func add(_ value: Range<Int>, of bytes: UnsafeRawBufferPointer) {
        bytes.forEachListMember(value) { member in
            if bytes.matches(member, "close") {
                closes = true
            } else if bytes.matches(member, "keep-alive") {
                keepsAlive = true
            } else {
                listed.append(member)
            }
        }
    }

    /// Whether the field called `name` is listed.
    @inline(__always)
    func lists(_ name: UnsafeRawBufferPointer, in bytes: UnsafeRawBufferPointer) -> Bool {
        if listed.isEmpty { return false }
        return listed.contains { bytes.slice($0).equalsIgnoringASCIICase(name) }
    }
}
