import GatewayCore
import NIOCore
import NIOHTTP1

/// A GET as it goes over the wire. Made once per connection and path: the question is the same each time.
struct PreparedRequest {
    let path: String
    /// For the response decoder, which looks at the method only.
    let head: HTTPRequestHead
    let bytes: ByteBuffer

    /// Asks for an answer as it is, without compression.
    ///
    /// - Returns: `nil` when the path or the host has bytes that would end a line or a word of the request.
    init?(path: String, authority: String) {
        let isSendable = { (text: String) in text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F } }
        guard !path.isEmpty, isSendable(path), isSendable(authority) else { return nil }
        self.path = path
        head = HTTPRequestHead(version: .http1_1, method: .GET, uri: path)
        bytes = ByteBuffer(
            string: """
                GET \(path) HTTP/1.1\r
                host: \(authority)\r
                user-agent: martlet\r
                accept: text/plain;version=0.0.4, application/json;q=0.9, */*;q=0.5\r
                \r\n
                """
        )
    }
}

/// Lets the bytes of prepared requests through, which come as body parts. The head is only for the response decoder,
/// which has seen it on its way.
final class PreparedRequestHandler: ChannelOutboundHandler {
    typealias OutboundIn = HTTPClientRequestPart
    typealias OutboundOut = ByteBuffer

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .body(.byteBuffer(let bytes)): context.write(wrapOutboundOut(bytes), promise: promise)
        case .head, .body(.fileRegion), .end: promise?.succeed()
        }
    }
}
