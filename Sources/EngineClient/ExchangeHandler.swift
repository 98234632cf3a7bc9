import GatewayCore
import NIOCore
import NIOHTTP1
import NIOSSL

/// Why an exchange gave no response, before the client decides what to do about it.
enum ExchangeFailure: Error {
    /// The connection ended before the first byte of the response: on a connection that was used before, the server may
    /// just have closed it for being idle.
    case closedBeforeResponse(String)
    /// Final.
    case failed(OutboundFailure)
}

/// What came of an exchange.
struct ExchangeResult: Sendable {
    let response: OutboundResponse
    /// Whether the connection can carry another exchange.
    let isReusable: Bool
}

/// One request and the place where its result is awaited.
struct Exchange: Sendable {
    let head: HTTPRequestHead
    let maxResponseBytes: Int
    let deadline: NIODeadline
    let result: OneShot<ExchangeResult>
}

/// Collects one response after the other on a connection. Lives on the connection's event loop.
final class ExchangeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private struct Collecting {
        let exchange: Exchange
        let timeout: Scheduled<Void>
        var head: HTTPResponseHead?
        var body = ByteBuffer()
    }

    private var collecting: Collecting?
    /// What ended the connection while there was no exchange, such as a certificate that is not trusted.
    private var failureBefore: ExchangeFailure?
    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    /// Sends the request of `exchange`. There is no other exchange on the connection.
    func start(_ exchange: Exchange) {
        guard let context, context.channel.isActive else {
            let failure = failureBefore ?? .closedBeforeResponse("the connection was closed before the request")
            exchange.result.resume(with: .failure(failure))
            return
        }
        precondition(collecting == nil, "one exchange at a time")
        let timeout = context.eventLoop.assumeIsolated().scheduleTask(deadline: exchange.deadline) {
            self.fail(.failed(.timedOut))
        }
        collecting = Collecting(exchange: exchange, timeout: timeout)
        context.write(wrapOutboundOut(.head(exchange.head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard var collecting else {
            // The decoder lets no response through that nobody asked for; what is left is the rest of an abandoned one.
            return
        }
        switch unwrapInboundIn(data) {
        case .head(let head):
            collecting.head = head
            self.collecting = collecting
            if let length = head.headers.first(name: "content-length").flatMap(Int.init) {
                checkLength(length)
            }
        case .body(var part):
            // The copy in `self` would force the buffer to be copied on each part.
            self.collecting = nil
            if collecting.body.readableBytes == 0 {
                collecting.body = part
            } else {
                collecting.body.writeBuffer(&part)
            }
            self.collecting = collecting
            checkLength(collecting.body.readableBytes)
        case .end:
            finish()
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if collecting?.head == nil {
            fail(.closedBeforeResponse("the connection was closed before the response"))
        } else {
            fail(.failed(.badResponse("the connection was closed in the middle of the response")))
        }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let hasHead = collecting?.head != nil
        switch error {
        case NIOSSLError.uncleanShutdown where !hasHead:
            fail(.closedBeforeResponse("the connection was closed without a TLS goodbye"))
        case is NIOSSLError where !hasHead, is BoringSSLError where !hasHead, is NIOSSLExtraError where !hasHead:
            fail(.failed(.connect("TLS failed: \(error)")))
        case let error as IOError where !hasHead:
            fail(.closedBeforeResponse("\(error)"))
        default:
            fail(.failed(.badResponse("\(error)")))
        }
        context.close(promise: nil)
    }

    private func checkLength(_ length: Int) {
        guard let limit = collecting?.exchange.maxResponseBytes, length > limit else { return }
        fail(.failed(.badResponse("the body has \(length) bytes or more, over the limit of \(limit)")))
    }

    private func finish() {
        guard let collecting, let head = collecting.head else { return }
        self.collecting = nil
        collecting.timeout.cancel()
        let response = OutboundResponse(status: Int(head.status.code), body: ByteBufferBody(collecting.body))
        let result = ExchangeResult(response: response, isReusable: head.isKeepAlive)
        let isTaken = collecting.exchange.result.resume(with: .success(result))
        if !isTaken || !head.isKeepAlive { context?.close(promise: nil) }
    }

    /// Ends the exchange without a response; its connection is of no more use.
    private func fail(_ failure: ExchangeFailure) {
        guard let collecting else {
            failureBefore = failureBefore ?? failure
            return
        }
        self.collecting = nil
        collecting.timeout.cancel()
        collecting.exchange.result.resume(with: .failure(failure))
        context?.close(promise: nil)
    }
}
