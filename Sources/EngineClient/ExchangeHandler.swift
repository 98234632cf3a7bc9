import GatewayCore
import NIOCore
import NIOHTTP1
import NIOSSL
import Transport

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

/// One request and what is called with its result.
struct Exchange {
    let request: OutboundRequest
    let deadline: NIODeadline
    let completion: (Result<ExchangeResult, ExchangeFailure>) -> Void
}

/// Collects one response after the other on a connection. Lives on the connection's event loop.
final class ExchangeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private struct Collecting {
        let exchange: Exchange
        var head: HTTPResponseHead?
        /// What the head says of the body; 0 when it says nothing.
        var length = 0
        var body = ByteBuffer()
    }

    private var collecting: Collecting?
    private var prepared: PreparedRequest?
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
            return exchange.completion(.failure(failure))
        }
        precondition(collecting == nil, "one exchange at a time")
        collecting = Collecting(exchange: exchange)
        guard let prepared = prepare(exchange.request) else {
            return fail(.failed(.connect("'\(exchange.request.path)' cannot be sent as the path of a request")))
        }
        context.write(wrapOutboundOut(.head(prepared.head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(prepared.bytes))), promise: nil)
    }

    /// Ends the exchange under way when its deadline has come.
    ///
    /// - Returns: the deadline of an exchange that goes on.
    func endIfLate(at now: NIODeadline) -> NIODeadline? {
        guard let deadline = collecting?.exchange.deadline else { return nil }
        if deadline > now { return deadline }
        fail(.failed(.timedOut))
        return nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // The decoder lets no response through that nobody asked for; what is left is the rest of an abandoned one.
        guard collecting != nil else { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            let length = head.headers.first(name: "content-length").flatMap(Int.init) ?? 0
            collecting?.head = head
            collecting?.length = length
            checkLength(length)
        case .body(var part):
            checkLength(collect(&part))
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

    private func prepare(_ request: OutboundRequest) -> PreparedRequest? {
        if prepared?.fits(request) != true { prepared = PreparedRequest(request) }
        return prepared
    }

    /// Adds a part of the body and gives the length so far. A body of one part stays in the buffer it was read into.
    private func collect(_ part: inout ByteBuffer) -> Int {
        guard let present = collecting?.body.readableBytes, let length = collecting?.length else { return 0 }
        if present == 0 {
            collecting?.body = part
            return part.readableBytes
        }
        let added = part.readableBytes
        // The second part makes room for all that follow. The announced length was held against the limit.
        if length > present + added { collecting?.body.reserveCapacity(minimumWritableBytes: length - present) }
        collecting?.body.writeBuffer(&part)
        return present + added
    }

    private func checkLength(_ length: Int) {
        guard let limit = collecting?.exchange.request.maxResponseBytes, length > limit else { return }
        fail(.failed(.overLimit("the body has \(length) bytes or more, over the limit of \(limit)")))
    }

    private func finish() {
        guard let collecting, let head = collecting.head else { return }
        self.collecting = nil
        let response = OutboundResponse(status: Int(head.status.code), body: BufferBody(collecting.body))
        if !head.isKeepAlive { context?.close(promise: nil) }
        collecting.exchange.completion(.success(ExchangeResult(response: response, isReusable: head.isKeepAlive)))
    }

    /// Ends the exchange without a response; its connection is of no more use.
    private func fail(_ failure: ExchangeFailure) {
        guard let collecting else {
            failureBefore = failureBefore ?? failure
            return
        }
        self.collecting = nil
        context?.close(promise: nil)
        collecting.exchange.completion(.failure(failure))
    }
}
