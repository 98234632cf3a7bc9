import GatewayCore
import NIOCore
import NIOHTTP1
import RequestControl
import Telemetry

/// The client's side of one HTTP/1.1 connection, or of one HTTP/2 stream.
///
/// Collects a request, hands it to a ``RequestRelay``, writes the response, then takes the next request of the connection:
/// pipelined requests wait and are answered in order. Confined to one event loop.
final class DownstreamHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let loop: ProxyLoop
    private let routes: RouteTableKey
    private let isStream: Bool
    let isSecure: Bool

    private var context: ChannelHandlerContext?
    private var state = DownstreamState()
    private var collected = CollectedRequest()
    private var relay: RequestRelay?
    private var waiting = CircularBuffer<HTTPServerRequestPart>()
    private var isProcessing = false
    private var hasHeldRead = false
    private var version = HTTPVersion.http1_1
    private var lastActivity = NIODeadline.now()
    private(set) lazy var clientAddress = context?.channel.parentOrSelf.remoteAddress?.ipAddress ?? ""

    init(loop: ProxyLoop, routes: RouteTableKey, isSecure: Bool, isStream: Bool) {
        self.loop = loop
        self.routes = routes
        self.isSecure = isSecure
        self.isStream = isStream
    }

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
        let part = unwrapInboundIn(data)
        if state.takesInput, waiting.isEmpty {
            process(part)
        } else if !state.discardsInput {
            waiting.append(part)
        }
        takeWaiting()
    }

    func read(context: ChannelHandlerContext) {
        // With a pipelined request waiting, the client's next ones stay in its socket: what waits here is bounded by one
        // read.
        if waiting.isEmpty {
            context.read()
        } else {
            hasHeldRead = true
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        relay?.clientWritabilityChanged(context.channel.isWritable)
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        state.closed()
        clientLeft()
        context.fireChannelInactive()
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
        state.headReceived(keepAlive: head.isKeepAlive && !isStream)
        collected = CollectedRequest(head: head, receivedAt: loop.controller.now())
        if let rejection = InboundFault.rejection(for: head, limits: loop.configuration.limits) {
            refuse(rejection)
            return
        }
        if head.headers.first(name: "expect")?.equalsIgnoringASCIICase("100-continue") == true, !isStream {
            let interim = HTTPResponseHead(version: .http1_1, status: .continue)
            context?.writeAndFlush(wrapOutboundOut(.head(interim)), promise: nil)
        }
    }

    private func dispatch() {
        state.requestComplete()
        guard let context, let request = collected.take() else { return }
        let exchange = RequestExchange(controller: loop.controller, routes: routes, request: request.incoming)
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

    private func responseEnded() {
        relay = nil
        lastActivity = .now()
        switch state.responseEnded(isDraining: loop.isDraining) {
        case .nextRequest: takeWaiting()
        case .close: context?.close(promise: nil)
        case .linger: linger()
        }
    }

    /// Closes our direction and reads on for a while: a close with unread bytes would reset the connection and could
    /// destroy the reply before the client has read it.
    private func linger() {
        guard let context else { return }
        if isStream { return }
        let channel = context.channel
        context.close(mode: .output, promise: nil)
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
        switch state.phase {
        case .idle where !isStream && idle > .nanoseconds(limits.idleTimeout.wholeNanoseconds):
            context?.close(promise: nil)
        case .receiving where idle > .nanoseconds(limits.bodyIdleTimeout.wholeNanoseconds):
            refuse(Rejection(.requestTimeout, "The request's body did not arrive within the time limit."))
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
        if !isStream, state.willClose(isDraining: loop.isDraining) {
            head.headers.replaceOrAdd(name: "connection", value: "close")
        } else if !isStream, version == .http1_0 {
            head.headers.replaceOrAdd(name: "connection", value: "keep-alive")
        }
        if version == .http1_0, !head.headers.contains(name: "content-length") { state.mustClose() }
        context?.write(wrapOutboundOut(.head(head)), promise: nil)
    }

    func relayBody(_ bytes: ByteBuffer) {
        context?.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
    }

    func relayEnd(trailers: HTTPHeaders?) {
        context?.writeAndFlush(wrapOutboundOut(.end(trailers)), promise: nil)
        responseEnded()
    }

    func relayFlush() {
        context?.flush()
    }

    func relayBreakOff() {
        relay = nil
        state.closed()
        // Closing without the end of the message is how HTTP/1.1 says "not whole"; a stream is reset by its close.
        context?.close(promise: nil)
    }

    func relayReply(_ reply: LocalReply) {
        guard let context else { return }
        if reply.closesConnection { state.mustClose() }
        var head = HTTPResponseHead(version: version, status: HTTPResponseStatus(statusCode: reply.status))
        for field in reply.headers { head.headers.add(name: field.name, value: field.value) }
        head.headers.add(name: "content-length", value: String(reply.body.count))
        relayHead(head)
        if !collected.isHead, !reply.body.isEmpty {
            relayBody(context.channel.allocator.buffer(bytes: reply.body))
        }
        relayEnd(trailers: nil)
    }
}

extension Channel {
    /// The TCP connection that this channel is, or is a stream of.
    fileprivate var parentOrSelf: any Channel { parent ?? self }
}
