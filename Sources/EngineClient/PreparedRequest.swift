import GatewayCore
import NIOCore

/// A request as it goes over the wire. Made once per connection for a question that is the same each time.
struct PreparedRequest {
    private let path: String
    private let isPlain: Bool
    /// The head, and the body if there is one.
    let bytes: ByteBuffer

    /// Asks for an answer as it is, without compression.
    ///
    /// - Returns: `nil` when the path, the host or a header field has bytes that would end a line or a word of the
    ///   request.
    init?(_ request: OutboundRequest) {
        let authority = request.address.authority
        let isSendable = { (text: String) in !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F } }
        guard isSendable(request.path), isSendable(authority),
            request.headers.allSatisfy({ isSendable($0.name) && FieldValueFault($0.value) == nil })
        else { return nil }
        path = request.path
        isPlain = request.isPlain
        var bytes = ByteBuffer(
            string: """
                \(request.body == nil ? "GET" : "POST") \(request.path) HTTP/1.1\r
                host: \(authority)\r
                user-agent: martlet\r\n
                """
        )
        if !request.headers.contains(where: { $0.name == "accept" }) {
            bytes.writeString("accept: text/plain;version=0.0.4, application/json;q=0.9, */*;q=0.5\r\n")
        }
        for field in request.headers { bytes.writeString("\(field.name): \(field.value)\r\n") }
        if let body = request.body {
            bytes.writeString("content-length: \(body.count)\r\n\r\n")
            bytes.writeBytes(body)
        } else {
            bytes.writeString("\r\n")
        }
        self.bytes = bytes
    }

    /// Whether `request` looks the same on the wire.
    func fits(_ request: OutboundRequest) -> Bool {
        isPlain && request.isPlain && path == request.path
    }
}

extension OutboundRequest {
    /// Whether nothing but the path tells it from others to the same address.
    fileprivate var isPlain: Bool { body == nil && headers.isEmpty }
}
