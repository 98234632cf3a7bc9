import GatewayCore
import HTTP1Messages

/// The head of a client's request, whatever HTTP it came in.
struct RequestHead {
    /// The version that the client speaks; the response is in the same.
    enum Version {
        case http10
        case http11
        case http2
    }

    /// The method as sent.
    let method: String
    /// The path with query; a target in absolute form has been turned into this (RFC 9112, 3.2.2).
    private(set) var target: String
    /// The version of the request.
    let version: Version
    /// The fields.
    private(set) var headers: HeaderMap
    /// The host that the request is for, with port if sent; empty when absent.
    private(set) var authority = ""
    /// Whether there is a body, and where it ends.
    private(set) var bodyLength = MessageBodyReader.Length.none
    /// Whether the client wants the connection to go on behind the response.
    private(set) var keepsAlive = true
    /// Whether the client waits for `100 Continue` before it sends the body.
    private(set) var expectsContinue = false

    /// Reads what the fields say of the message.
    ///
    /// - Throws: ``MessageFault`` when they leave the message's length or its host open to doubt, and for a method or a
    ///   target that cannot stand in a request line, whatever HTTP it came in.
    init(method: String, target: String, version: Version, headers: HeaderMap) throws(MessageFault) {
        self.method = method
        self.target = target
        self.version = version
        self.headers = headers
        guard !method.isEmpty, method.utf8.allSatisfy(\.isTokenByte) else {
            throw .malformed("its method has a character that no method has, or is missing")
        }
        guard !target.isEmpty, target.utf8.allSatisfy({ $0 > ASCII.space && $0 != ASCII.delete }) else {
            throw .malformed("its target has a space or a control character, or is missing")
        }
        var facts = Facts()
        try headers.withFields { (bytes, places) throws(MessageFault) in
            for place in places { try facts.note(place, of: bytes) }
        }
        try apply(facts)
    }

    /// The announced length of the body; `nil` when none was.
    var contentLength: Int? {
        if case .bytes(let count) = bodyLength { count } else { nil }
    }

    private mutating func apply(_ facts: Facts) throws(MessageFault) {
        guard facts.hostCount == 1 || (facts.hostCount == 0 && version == .http10) else {
            let what = facts.hostCount == 0 ? "no Host header" : "\(facts.hostCount) Host headers"
            throw .malformed("it has \(what), and exactly one is required")
        }
        if facts.isChunked {
            guard facts.contentLength == nil else { throw .lengthInDoubt }
            guard version != .http10 else { throw .malformed("a request of HTTP/1.0 has no Transfer-Encoding") }
            bodyLength = .chunked
        } else if let length = facts.contentLength {
            bodyLength = .bytes(length)
        }
        keepsAlive = !facts.connection.closes && (version != .http10 || facts.connection.keepsAlive)
        // Only HTTP/1.1 has it, and a client of HTTP/1.0 would take it for the answer (RFC 9110, 10.1.1).
        expectsContinue = facts.expectsContinue && version == .http11
        authority = facts.host
        try normalizeTarget()
    }

    /// Turns the absolute form of a target into the origin form; its authority takes the place of the Host header.
    private mutating func normalizeTarget() throws(MessageFault) {
        if target.utf8.first == UInt8(ascii: "/") || target == "*" || method == "CONNECT" { return }
        let text = Array(target.utf8)
        guard let slashes = text.firstRange(of: Array("://".utf8)) else {
            throw .malformed("its target is neither a path nor a URI")
        }
        let rest = text[slashes.upperBound...]
        let end = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
        authority = String(decoding: rest[..<end], as: UTF8.self)
        let path = String(decoding: rest[end...], as: UTF8.self)
        target = path.utf8.first == UInt8(ascii: "/") ? path : "/" + path
        headers.replace(name: "host", value: authority)
    }
}

extension RequestHead {
    /// What the fields say, collected one by one.
    private struct Facts {
        var hostCount = 0
        var host = ""
        var contentLength: Int?
        var isChunked = false
        var connection = ConnectionOptions()
        var expectsContinue = false

        mutating func note(_ place: HeaderMap.Place, of bytes: UnsafeRawBufferPointer) throws(MessageFault) {
            let name = bytes.slice(place.name)
            switch FieldKind(name) {
            case .host:
                hostCount += 1
                host = bytes.text(place.value)
            case .contentLength:
                guard contentLength == nil else { throw .lengthInDoubt }
                guard let length = bytes.decimal(place.value) else {
                    throw .malformed("its Content-Length is not a number of bytes")
                }
                contentLength = length
            case .transferEncoding:
                guard !isChunked, bytes.matches(place.value, "chunked") else {
                    throw .malformed("its Transfer-Encoding is not 'chunked', the only coding understood")
                }
                isChunked = true
            case .connection:
                connection.add(place.value, of: bytes)
            case .hopByHop:
                if name.equalsIgnoringASCIICase("expect"), bytes.matches(place.value, "100-continue") {
                    expectsContinue = true
                }
            case .endToEnd, .forwardedFor, .forwardedProto, .contentType:
                break
            }
        }
    }
}
