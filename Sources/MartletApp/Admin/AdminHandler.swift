import GatewayCore
import NIOCore
import NIOHTTP1

/// One connection of the admin server.
///
/// A body is gathered only for a request that takes one, and only for so many at once; such requests are answered away
/// from the event loop, where probes are answered too. Further requests of the connection wait meanwhile.
final class AdminHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// What becomes of a request's body.
    private enum Body {
        /// It is passed over.
        case ignored
        /// It is gathered, in a place that was taken.
        case gathered([UInt8])
        /// It cannot be taken, and this is the answer.
        case refused(AdminResponse)
    }

    private let routes: AdminRoutes
    private let places: Seats
    private var head: HTTPRequestHead?
    private var body = Body.ignored
    /// Whether an answer comes bit by bit; the connection ends with it.
    private var isStreaming = false
    /// Whether a place of `places` is taken.
    private var hasPlace = false

    /// The longest body: that of the longest request that a gateway takes.
    private static let bodyBytesMax = GatewayLimits().maxBodyBytes

    /// Makes a handler; `places` bounds the bodies that all connections gather.
    init(routes: AdminRoutes, bodies places: Seats) {
        self.routes = routes
        self.places = places
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): begin(head)
        case .body(let piece): take(piece)
        case .end:
            guard let head else { return }
            self.head = nil
            answer(head, context: context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        leavePlace()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent, !isStreaming { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func begin(_ head: HTTPRequestHead) {
        self.head = head
        guard routes.takesBody(AdminRequest(head)) else {
            body = .ignored
            return
        }
        hasPlace = places.take()
        body =
            hasPlace
            ? .gathered([]) : .refused(.text("too many requests with bodies at once", status: .serviceUnavailable))
    }

    private func take(_ piece: ByteBuffer) {
        guard case .gathered(var bytes) = body else { return }
        body = .ignored
        if bytes.count + piece.readableBytes > Self.bodyBytesMax {
            leavePlace()
            body = .refused(.text("the body has more than \(Self.bodyBytesMax) bytes", status: .payloadTooLarge))
        } else {
            bytes += piece.readableBytesView
            body = .gathered(bytes)
        }
    }

    private func leavePlace() {
        if hasPlace { places.giveBack() }
        hasPlace = false
    }

    private func answer(_ head: HTTPRequestHead, context: ChannelHandlerContext) {
        let request = AdminRequest(head)
        guard routes.isGuarded(request) else { return answer(request, head, context: context) }
        let refusal = context.eventLoop.makeFutureWithTask { [routes] in await routes.refusal(request) }
        refusal.assumeIsolated().whenSuccess { refusal in
            guard let refusal else { return self.answer(request, head, context: context) }
            self.body = .ignored
            self.leavePlace()
            self.respond(refusal, to: head, context: context)
        }
    }

    /// Answers whoever may ask.
    private func answer(_ request: AdminRequest, _ head: HTTPRequestHead, context: ChannelHandlerContext) {
        switch body {
        case .ignored: respond(routes.answer(request), to: head, context: context)
        case .refused(let response): respond(response, to: head, context: context)
        case .gathered(let bytes):
            body = .ignored
            var request = request
            request.body = bytes
            let answered = context.eventLoop.makeFutureWithTask { [routes, request] in routes.answer(request) }
            answered.assumeIsolated().whenSuccess { response in
                self.leavePlace()
                self.respond(response, to: head, context: context)
            }
        }
    }

    private func respond(_ response: AdminResponse, to head: HTTPRequestHead, context: ChannelHandlerContext) {
        if let stream = response.stream {
            // A client that only listens is not idle.
            isStreaming = true
            return stream(AdminStream(context.channel))
        }
        var headers = response.fields
        if !head.isKeepAlive { headers.add(name: "connection", value: "close") }
        let responseHead = HTTPResponseHead(version: head.version, status: response.status, headers: headers)
        context.write(wrapOutboundOut(.head(responseHead)), promise: nil)
        if head.method != .HEAD {
            let body = context.channel.allocator.buffer(bytes: response.body)
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        }
        let channel = context.channel
        let isLast = !head.isKeepAlive
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in
            if isLast { channel.close(promise: nil) }
        }
    }
}

extension AdminRequest {
    /// The request of a header section, without its body.
    fileprivate init(_ head: HTTPRequestHead) {
        let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        self.init(
            method: head.method,
            path: String(parts.first ?? ""),
            query: parts.count > 1 ? parts[1] : "",
            headers: HeaderMap(head.headers.map { HeaderMap.Field(name: $0.name, value: $0.value) })
        )
    }
}
