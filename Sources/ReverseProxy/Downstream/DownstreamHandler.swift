import GatewayCore
import NIOCore
import NIOHTTP1
import RequestControl
import Telemetry

/// The client's side of one HTTP/1.1 connection, or of one HTTP/2 stream.
///
/// Collects a request, hands it to a ``RequestRelay``, writes the response, then takes the next request of the
/// connection: pipelined requests wait and are answered in order. Confined to one event loop.
final class DownstreamHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let loop: ProxyLoop
    private let listener: ListenerBinding
    private let isStream: Bool
    let isSecure: Bool

    private var context: ChannelHandlerContext?
    private var state = DownstreamState()
    private var collected = CollectedRequest()
    private var relay: RequestRelay?
    private var waiting = CircularBuffer<HTTPServerRequestPart>()
    private var isProcessing = false
    /// Whether this read brought bytes; not known of a stream, whose head comes whole.
    private var hasReadBytes = false
    /// Whether this read brought a part of a request.
    private var hasReadPart = false
    /// When the head of the next request began to arrive; `nil` while nothing of it has.
    private var headStartedAt: NIODeadline?
    /// Whether the present request is a HEAD, whose response has no body.
    private var isHead = false
    /// Whether the present response ends with the connection.
    private var endsWithConnection = false
    private var hasHeldRead = false
    /// Whether the client has closed its direction.
    private var isInputClosed = false
    private var version = HTTPVersion.http1_1
    private var lastActivity = NIODeadline.now()
    private(set) lazy var clientAddress = connection?.remoteAddress?.ipAddress ?? ""

    init(loop: ProxyLoop, listener: ListenerBinding, isSecure: Bool, isStream: Bool) {
        self.loop = loop
        self.listener = listener
        self.isSecure = isSecure
        self.isStream = isStream
    }

    /// The TCP connection: this channel, or the one that it is a stream of. The parent of a connection is its listener.
    private var connection: (any Channel)? { isStream ? context?.channel.parent : context?.channel }

    // MARK: ChannelHandler

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        loop.add(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        loop.remove(self)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastActivity = .now()
        hasReadPart = true
        let part = unwrapInboundIn(data)
        if state.takesInput, waiting.isEmpty {
            process(part)
        } else if !state.discardsInput {
            waiting.append(part)
        }
        takeWaiting()
    }

    /// Bytes came that the decoder sees next.
    func bytesArrived() {
        hasReadBytes = true
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // Bytes that made no part are a part of a head.
        if hasReadBytes, !hasReadPart, headStartedAt == nil, state.phase == .idle { headStartedAt = .now() }
        hasReadBytes = false
        hasReadPart = false
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        // With a pipelined request waiting, the client's next ones stay in its socket: what waits here is bounded by
        // one read.
        if waiting.isEmpty {
            context.read()
        } else {
            hasHeldRead = true
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        lastActivity = .now()
        relay?.clientWritabilityChanged(context.channel.isWritable)
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        state.closed()
        clientLeft()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { inputClosed(context) }
        context.fireUserInboundEventTriggered(event)
    }

    /// The client has closed its direction: it went away, or it broke its request off. In the second case the decoder
    /// has reported that just before, and the answer is on its way.
    private func inputClosed(_ context: ChannelHandlerContext) {
        isInputClosed = true
        switch state.phase {
        case .closed: break
        case .discarding: context.close(promise: nil)
        case .responding(isRequestComplete: false): break
        case .idle, .receiving, .responding:
            clientLeft()
            context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if state.discardsInput { return }
        guard !isStream, let rejection = InboundFault.rejection(for: error) else {
            clientLeft()
            context.close(promise: nil)
            return
        }
        // The bytes behind a fault cannot be told apart into requests any more. What is being answered goes out whole.
        waiting.removeAll()
        if state.isResponding {
            state.mustClose()
        } else {
            refuse(rejection)
        }
    }

    // MARK: Collecting a request

    private func takeWaiting() {
        guard !isProcessing else { return }
        isProcessing = true
        while state.takesInput, let part = waiting.popFirst() { process(part) }
        isProcessing = false
        if waiting.isEmpty, hasHeldRead {
            hasHeldRead = false
            context?.read()
        }
    }

    private func process(_ part: HTTPServerRequestPart) {
        switch part {
        case .head(let head): begin(head)
        case .body(let bytes):
            guard state.isReceiving else { return }
            collected.append(bytes)
            if collected.length > loop.configuration.limits.maxBodyBytes { refuse(collected.tooLarge(loop)) }
        case .end:
            guard state.isReceiving else { return }
            dispatch()
        }
    }

    private func begin(_ head: HTTPRequestHead) {
        version = head.version
        isHead = head.method == .HEAD
        endsWithConnection = false
        headStartedAt = nil
        state.headReceived(keepAlive: head.isKeepAlive && !isStream)
        collected = CollectedRequest(head: head, receivedAt: loop.controller.now())
        if let rejection = InboundFault.rejection(for: head, limits: loop.configuration.limits, isStream: isStream) {
            refuse(rejection)
            return
        }
        // Only HTTP/1.1 has it, and a client of HTTP/1.0 would take it for the answer (RFC 9110, 10.1.1).
        if version == .http1_1, head.headers.first(name: "expect")?.equalsIgnoringASCIICase("100-continue") == true {
            let interim = HTTPResponseHead(version: .http1_1, status: .continue)
            context?.writeAndFlush(wrapOutboundOut(.head(interim)), promise: nil)
        }
    }

    private func dispatch() {
        state.requestComplete()
        guard let context, let request = collected.take() else { return }
        let exchange = RequestExchange(controller: loop.controller, routes: listener.routes, request: request.incoming)
        let relay = RequestRelay(
            exchange: exchange,
            head: request.head,
            body: request.body,
            upstreams: loop.upstreams,
            eventLoop: context.eventLoop,
            client: self
        )
        self.relay = relay
        relay.start()
    }

    /// Answers before the request is whole; what is left of it is read and thrown away.
    private func refuse(_ rejection: Rejection) {
        let path = collected.path
        collected = CollectedRequest()
        state.requestRefused()
        relayReply(loop.controller.reply(to: rejection, path: path))
    }

    // MARK: The end of a response, and of the connection

    /// Writes the end of a response and does what comes behind it.
    private func endResponse(trailers: HTTPHeaders?) {
        guard let context else { return }
        relay = nil
        lastActivity = .now()
        let end = wrapOutboundOut(.end(trailers))
        switch state.responseEnded(isDraining: loop.isDraining) {
        case .nextRequest:
            context.writeAndFlush(end, promise: nil)
            takeWaiting()
        case .close where isStream:
            // The end of the response and of the request are the end of the stream; a close would reset it.
            context.writeAndFlush(end, promise: nil)
        case .linger where isInputClosed, .close:
            // A close drops what has not been written: it waits until a slow client has taken the last byte.
            let written = context.eventLoop.makePromise(of: Void.self)
            let channel = context.channel
            written.futureResult.whenComplete { _ in channel.close(promise: nil) }
            context.writeAndFlush(end, promise: written)
        case .linger:
            context.writeAndFlush(end, promise: nil)
            readToTheEnd(context)
        }
    }

    /// Closes our direction and reads on for a while: a close with unread bytes would reset the connection and could
    /// destroy the reply before the client has read it. A stream has said its end already and is reset after that time.
    private func readToTheEnd(_ context: ChannelHandlerContext) {
        let channel = context.channel
        if !isStream { context.close(mode: .output, promise: nil) }
        let timeout = TimeAmount.nanoseconds(loop.configuration.lingerTimeout.wholeNanoseconds)
        let timer = context.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
        channel.closeFuture.whenComplete { _ in timer.cancel() }
    }

    private func clientLeft() {
        guard let relay else { return }
        self.relay = nil
        loop.metrics.clientDisconnects.increment()
        relay.cancel(.clientDisconnected)
    }

    // MARK: What the loop does with its connections

    /// Closes the connection when it has been waited for too long. Called about once a second.
    func sweep(_ now: NIODeadline) {
        let limits = loop.configuration.limits
        let idle = now - lastActivity
        if let headStartedAt, now - headStartedAt > .nanoseconds(limits.headerTimeout.wholeNanoseconds) {
            self.headStartedAt = nil
            refuse(Rejection(.requestTimeout, "The request's header did not arrive within the time limit."))
            return
        }
        switch state.phase {
        case .idle where !isStream && idle > .nanoseconds(limits.idleTimeout.wholeNanoseconds):
            context?.close(promise: nil)
        case .receiving where idle > .nanoseconds(limits.bodyIdleTimeout.wholeNanoseconds):
            refuse(Rejection(.requestTimeout, "The request's body did not arrive within the time limit."))
        case .closed where idle > .nanoseconds(limits.bodyIdleTimeout.wholeNanoseconds):
            // The client does not take the end of its response.
            context?.close(promise: nil)
        default:
            break
        }
    }

    /// The gateway is draining: an idle connection closes, a busy one after its response.
    func drain() {
        if case .idle = state.phase, !isStream { context?.close(promise: nil) }
    }

    /// The drain is over.
    func abort() {
        if let relay {
            self.relay = nil
            relay.cancel(.drained)
        }
        context?.close(promise: nil)
    }
}

extension DownstreamHandler: RelayClient {
    var isWritable: Bool { context?.channel.isWritable ?? false }

    func relayHead(_ head: HTTPResponseHead) {
        var head = head
        if !isStream { frame(&head) }
        context?.write(wrapOutboundOut(.head(head)), promise: nil)
    }

    /// Sets the fields that say where an HTTP/1.x response ends (RFC 9112, 6.3) and what becomes of its connection.
    private func frame(_ head: inout HTTPResponseHead) {
        head.headers.remove(name: "transfer-encoding")
        if !head.status.mayHaveResponseBody {
            if head.status != .notModified { head.headers.remove(name: "content-length") }
        } else if !isHead, !head.headers.contains(name: "content-length") {
            if version == .http1_0 {
                endsWithConnection = true
                state.mustClose()
            } else {
                head.headers.add(name: "transfer-encoding", value: "chunked")
            }
        }
        if state.willClose(isDraining: loop.isDraining) {
            head.headers.replaceOrAdd(name: "connection", value: "close")
        } else if version == .http1_0 {
            head.headers.replaceOrAdd(name: "connection", value: "keep-alive")
        }
    }

    func relayBody(_ bytes: ByteBuffer) {
        context?.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
    }

    func relayEnd(trailers: HTTPHeaders?) {
        endResponse(trailers: trailers)
    }

    func relayFlush() {
        context?.flush()
    }

    func relayBreakOff() {
        relay = nil
        state.closed()
        // Closing without the end of the message is how HTTP/1.1 says "not whole", and a stream is reset by its close.
        // A response that ends with the connection has only the reset of the connection to say it.
        if endsWithConnection { context?.channel.resetOnClose() }
        context?.close(promise: nil)
    }

    func relayReply(_ reply: LocalReply) {
        guard let context else { return }
        if reply.closesConnection { state.mustClose() }
        var head = HTTPResponseHead(version: version, status: HTTPResponseStatus(statusCode: reply.status))
        for field in reply.headers { head.headers.add(name: field.name, value: field.value) }
        head.headers.add(name: "content-length", value: String(reply.body.count))
        relayHead(head)
        if !isHead, !reply.body.isEmpty {
            relayBody(context.channel.allocator.buffer(bytes: reply.body))
        }
        relayEnd(trailers: nil)
    }
}
