import NIOCore
import NIOHTTP1

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// An answer to one request.
enum APIAnswer {
    /// A whole body.
    case whole(status: Int, contentType: String, body: [UInt8], retryAfter: Int?)
    /// A watch: what it is told at once. It may be over with that.
    case watch(OpenWatch?, lines: [[UInt8]], timeout: Duration?)
    /// A whole body that is still to come.
    case later(EventLoopFuture<ScriptedJSON>)

    static func json(_ value: ScriptedJSON, status: Int = 200) -> APIAnswer {
        .whole(status: status, contentType: "application/json", body: value.bytes, retryAfter: nil)
    }

    static func failure(_ failure: ScriptedAPIFailure) -> APIAnswer {
        if failure.isUnknownPath {
            return .whole(
                status: failure.code, contentType: "text/plain; charset=utf-8",
                body: Array((failure.message + "\n").utf8), retryAfter: nil
            )
        }
        return .whole(
            status: failure.code, contentType: "application/json", body: failure.status.bytes,
            retryAfter: failure.retryAfter
        )
    }
}

/// Breaks a connection below TLS, so that nothing polite is said. First in its pipeline.
final class ConnectionBreaker: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func reset() {
        guard let context else { return }
        // With a linger time of zero, closing sends a reset.
        _ = (context.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        context.close(promise: nil)
    }
}

/// One connection of a ``ScriptedKubernetesAPI``: takes one request after the other. Confined to its event loop.
final class APIConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let server: ScriptedKubernetesAPI
    private let breaker: ConnectionBreaker
    private let hasCertificate: Bool
    private var context: ChannelHandlerContext?
    private var head: HTTPRequestHead?
    private var requestBody = ByteBuffer()
    private var isAnswering = false
    private var body: PacedBody?
    private var watch: OpenWatch?
    private var lastLine: [UInt8] = []
    private var cutsNextEventAfter: Int?
    private var delay: Scheduled<Void>?
    private var timeout: Scheduled<Void>?
    private var nextBookmark: Scheduled<Void>?

    init(server: ScriptedKubernetesAPI, breaker: ConnectionBreaker, hasCertificate: Bool) {
        self.server = server
        self.breaker = breaker
        self.hasCertificate = hasCertificate
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        server.opened(context.channel, self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        answerIsOver()
        server.closed(context.channel)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            // Nobody asks for one thing before the answer about another is over.
            guard !isAnswering else { return reset() }
            self.head = head
            requestBody = ByteBuffer()
            if head.headers[canonicalForm: "expect"].contains(where: { $0.lowercased() == "100-continue" }) {
                let head = HTTPResponseHead(version: .http1_1, status: .continue)
                context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
            }
        case .body(var part):
            requestBody.writeBuffer(&part)
        case .end:
            guard let head, !isAnswering else { return }
            isAnswering = true
            take(
                ScriptedAPIRequest(
                    method: head.method.rawValue, uri: head.uri,
                    fields: head.headers.map { ($0.name.lowercased(), $0.value) },
                    body: Array(requestBody.readableBytesView)
                )
            )
        }
    }

    /// Breaks the connection without a word.
    func reset() { breaker.reset() }

    // MARK: - A request

    private func take(_ request: ScriptedAPIRequest) {
        guard let context else { return }
        let (request, number, actions) = server.register(request)
        var delay = Duration.zero
        for action in actions {
            switch action {
            case .noAnswer: return
            case .reset: return reset()
            case .delay(let duration): delay += duration
            default: break
            }
        }
        let loop = context.eventLoop
        guard delay > .zero else { return answer(request, number, actions) }
        let bound = NIOLoopBound(self, eventLoop: loop)
        self.delay = loop.scheduleTask(in: TimeAmount(delay)) { bound.value.answer(request, number, actions) }
    }

    private func answer(_ request: ScriptedAPIRequest, _ number: Int, _ actions: [ScriptedFault.Action]) {
        guard let context else { return }
        let answer = server.answer(
            request, number, actions, connection: NIOLoopBound(self, eventLoop: context.eventLoop),
            hasCertificate: hasCertificate
        )
        switch answer {
        case .later(let value):
            let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
            value.hop(to: context.eventLoop).whenComplete { result in
                let answer: ScriptedJSON
                switch result {
                case .success(let value): answer = value
                case .failure(let error): answer = ["error": .string("\(error)")]
                }
                bound.value.send(.json(answer), [])
            }
        default: send(answer, actions)
        }
    }

    private func send(_ answer: APIAnswer, _ actions: [ScriptedFault.Action]) {
        guard let context else { return }
        switch answer {
        case .whole(let status, let contentType, let bytes, let retryAfter):
            begin(status, contentType, length: bytes.count, retryAfter: retryAfter, actions)
            body?.send(ByteBuffer(bytes: bytes))
            body?.end()
        case .watch(let watch, let lines, let timeout):
            begin(200, "application/json", length: nil, retryAfter: nil, actions)
            // At once: thousands of objects are one write.
            var all = ByteBuffer()
            for line in lines { all.writeBytes(line) }
            body?.send(all)
            lastLine = lines.last ?? []
            guard let watch else {
                body?.end()
                return
            }
            self.watch = watch
            schedule(watch, timeout: timeout, on: context.eventLoop)
        case .later: break
        }
    }

    private func begin(
        _ status: Int,
        _ contentType: String,
        length: Int?,
        retryAfter: Int?,
        _ actions: [ScriptedFault.Action]
    ) {
        guard let context else { return }
        var headers = HTTPHeaders([
            ("date", server.httpDate()), ("cache-control", "no-cache, private"), ("content-type", contentType),
        ])
        if let length { headers.add(name: "content-length", value: "\(length)") }
        if let retryAfter { headers.add(name: "retry-after", value: "\(retryAfter)") }
        if head?.isKeepAlive == false { headers.add(name: "connection", value: "close") }
        context.writeAndFlush(
            wrapOutboundOut(
                .head(HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: headers))
            ),
            promise: nil
        )
        let body = PacedBody(
            loop: context.eventLoop,
            write: { context.writeAndFlush(self.wrapOutboundOut(.body(.byteBuffer($0)))) },
            finish: { self.finish() },
            reset: { self.reset() }
        )
        for action in actions {
            switch action {
            case .slowBody(let rate): body.rate = rate
            case .cutBody(let bytes): body.breaksAfter = (bytes, .reset)
            case .stallBody(let bytes): body.breaksAfter = (bytes, .stall)
            default: break
            }
        }
        self.body = body
    }

    private func finish() {
        guard let context else { return }
        answerIsOver()
        isAnswering = false
        guard head?.isKeepAlive == false else {
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            return
        }
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in channel.close(promise: nil) }
    }

    private func answerIsOver() {
        for timer in [delay, timeout, nextBookmark] { timer?.cancel() }
        body = nil
        cutsNextEventAfter = nil
        if let watch { server.watchEnded(watch) }
        watch = nil
    }

    // MARK: - A watch

    private func schedule(_ watch: OpenWatch, timeout: Duration?, on loop: any EventLoop) {
        if let timeout {
            // Both through the queue of the watch, so that they come after the events before them.
            self.timeout = loop.scheduleTask(in: TimeAmount(timeout)) { [server] in
                server.sendBookmark(watch)
                watch.run { $0.endWatch($1) }
            }
        }
        scheduleBookmark(watch, on: loop)
    }

    private func scheduleBookmark(_ watch: OpenWatch, on loop: any EventLoop) {
        guard watch.allowsBookmarks else { return }
        let bound = NIOLoopBound(self, eventLoop: loop)
        nextBookmark = loop.scheduleTask(in: TimeAmount(server.settings.bookmarkInterval)) {
            guard bound.value.watch === watch else { return }
            bound.value.server.sendBookmark(watch)
            bound.value.scheduleBookmark(watch, on: loop)
        }
    }

    /// Writes a line of a watch, unless the watch is over.
    func sendLine(_ line: [UInt8], _ id: Int, written: @escaping @Sendable () -> Void) {
        guard watch?.id == id, let body else { return written() }
        lastLine = line
        if let bytes = cutsNextEventAfter {
            cutsNextEventAfter = nil
            body.cut(afterMore: min(bytes, line.count))
        }
        body.send(ByteBuffer(bytes: line), written: written)
    }

    /// Ends a watch in good order.
    func endWatch(_ id: Int) {
        guard watch?.id == id else { return }
        body?.end()
    }

    /// Does to a watch what a script says.
    func disturb(_ id: Int, _ disturbance: WatchDisturbance) {
        guard let watch, watch.id == id, let body else { return }
        switch disturbance {
        case .line(let text): body.send(ByteBuffer(string: text + "\n"))
        case .event(let type, let object): body.send(ByteBuffer(bytes: WatchEvent.line(type, object)))
        case .duplicate: body.send(ByteBuffer(bytes: lastLine))
        case .bookmark(let version):
            guard let version else { return server.sendBookmark(watch) }
            body.send(ByteBuffer(bytes: WatchEvent.bookmark(watch.type, watch.version, version: version)))
        case .error(let code):
            let status = ScriptedAPIFailure.scripted(code, retryAfter: nil).status
            body.send(ByteBuffer(bytes: WatchEvent.line("ERROR", status)))
            body.end()
        case .cutNextEvent(let bytes): cutsNextEventAfter = bytes
        case .stall: body.stall()
        case .slow(let rate): body.rate = rate
        case .end: body.end()
        case .reset: reset()
        }
    }
}

extension TimeAmount {
    fileprivate init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self = .nanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
