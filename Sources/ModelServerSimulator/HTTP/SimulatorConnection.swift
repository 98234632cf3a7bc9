import NIOCore
import NIOHTTP1

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// One client connection. Requests reach it one at a time: the handler before it in the pipeline holds further ones
/// back until the answer is complete.
final class SimulatorConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let service: SimulatorService
    private var context: ChannelHandlerContext?
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()
    private var bodyIsTooLong = false
    private var exchange: HTTPExchange?

    init(service: SimulatorService) {
        self.service = service
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        service.connections[ObjectIdentifier(self)] = self
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        service.remove(self)
    }

    func channelActive(context: ChannelHandlerContext) {
        if service.faults.refuseConnections || service.isDraining {
            close(reset: true)
        }
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        exchange?.disconnected()
        exchange = nil
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A connection that fails has nothing more to say; its end cancels what it had asked for.
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = ByteBuffer()
            bodyIsTooLong = false
            if head.headers[canonicalForm: "expect"].contains(where: { $0.lowercased() == "100-continue" }) {
                let head = HTTPResponseHead(version: .http1_1, status: .continue)
                context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
            }
        case .body(var part):
            if body.readableBytes + part.readableBytes > service.configuration.maxBodyBytes {
                bodyIsTooLong = true
                body = ByteBuffer()
            } else if !bodyIsTooLong {
                body.writeBuffer(&part)
            }
        case .end:
            guard let head else {
                return
            }
            let exchange = HTTPExchange(head: head, body: body, connection: self)
            self.exchange = exchange
            body = ByteBuffer()
            if bodyIsTooLong {
                service.refuseLongBody(exchange)
            } else {
                service.handle(exchange)
            }
        }
    }

    func writeHead(_ status: HTTPResponseStatus, contentType: String?, contentLength: Int?) {
        guard let context else {
            return
        }
        var headers = HTTPHeaders()
        headers.reserveCapacity(5)
        headers.add(name: "date", value: service.clock.httpDate())
        headers.add(name: "server", value: service.configuration.engine.serverHeader)
        if let contentLength {
            headers.add(name: "content-length", value: "\(contentLength)")
        }
        if let contentType {
            headers.add(name: "content-type", value: contentType)
        }
        if head?.isKeepAlive == false {
            headers.add(name: "connection", value: "close")
        }
        service.count(status)
        context.write(
            wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers))), promise: nil
        )
    }

    func writeBody(_ buffer: ByteBuffer) {
        guard let context, buffer.readableBytes > 0 else {
            return
        }
        context.write(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil)
    }

    func writeEnd() {
        guard let context else {
            return
        }
        exchange = nil
        guard head?.isKeepAlive == false else {
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            return
        }
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in
            channel.close(promise: nil)
        }
    }

    func flush() {
        context?.flush()
    }

    /// Closes at once. A reset tells the client that nobody is there; otherwise the close is in good order.
    func close(reset: Bool) {
        guard let context else {
            return
        }
        if reset, let options = context.channel as? any SocketOptionProvider {
            // With a linger time of zero, closing sends a reset and drops what has not been sent.
            _ = options.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        }
        context.close(promise: nil)
    }

    /// Lets the answer under way finish and then closes; closes at once when there is none.
    func quiesce() {
        context?.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    }
}
