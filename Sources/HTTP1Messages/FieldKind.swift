import GatewayCore

/// What a proxy does with a header field, by its name.
@usableFromInline
package enum FieldKind {
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
    @inlinable @inline(__always)
    package init(_ name: UnsafeRawBufferPointer) {
        self =
            switch name.count {
            case 2 where name.isNamed("te"): .hopByHop
            case 4 where name.isNamed("host"): .host
            case 6 where name.isNamed("expect"): .hopByHop
            case 7 where name.isNamed("upgrade") || name.isNamed("trailer"): .hopByHop
            case 10 where name.isNamed("connection"): .connection
            case 10 where name.isNamed("keep-alive"): .hopByHop
            case 12 where name.isNamed("content-type"): .contentType
            case 14 where name.isNamed("content-length"): .contentLength
            case 15 where name.isNamed("x-forwarded-for"): .forwardedFor
            case 16 where name.isNamed("proxy-connection"): .hopByHop
            case 17 where name.isNamed("transfer-encoding"): .transferEncoding
            case 17 where name.isNamed("x-forwarded-proto"): .forwardedProto
            default: .endToEnd
            }
    }

    /// Whether the field says where a message ends or what becomes of its connection: nobody but the proxy writes it.
    package var isFraming: Bool {
        switch self {
        case .hopByHop, .connection, .contentLength, .transferEncoding: true
        case .endToEnd, .host, .forwardedFor, .forwardedProto, .contentType: false
        }
    }
}

/// The fields that `connection` lists, which end here too.
@usableFromInline
package struct ConnectionOptions {
    /// Where the names stand; hardly any message has one.
    @usableFromInline package private(set) var listed: [Range<Int>] = []
    /// Whether `close` is listed.
    package private(set) var closes = false
    /// Whether `keep-alive` is listed.
    package private(set) var keepsAlive = false

    /// Of no field yet.
    package init() {}

    /// Adds the members of one `connection` field.
    package mutating func add(_ value: Range<Int>, of bytes: UnsafeRawBufferPointer) {
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
    @inlinable @inline(__always)
    package func lists(_ name: UnsafeRawBufferPointer, in bytes: UnsafeRawBufferPointer) -> Bool {
        listed.isEmpty ? false : isAmongListed(name, bytes)
    }

    @usableFromInline
    func isAmongListed(_ name: UnsafeRawBufferPointer, _ bytes: UnsafeRawBufferPointer) -> Bool {
        listed.contains { bytes.slice($0).equalsIgnoringASCIICase(name) }
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the bytes are the name `lowercased`, ignoring ASCII case.
    @usableFromInline
    func isNamed(_ lowercased: StaticString) -> Bool {
        equalsIgnoringASCIICase(lowercased)
    }
}
