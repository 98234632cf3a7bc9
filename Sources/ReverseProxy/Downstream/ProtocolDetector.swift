import GatewayCore
import NIOCore
import NIOTLS

/// Finds out which HTTP a new connection speaks, puts its handlers in place and leaves.
///
/// With TLS the answer comes from ALPN; without, from the first bytes: HTTP/2 with prior knowledge starts with a fixed
/// preface (RFC 9113, 3.4) that is no HTTP/1.1 request.
final class ProtocolDetector: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    private let loop: ProxyLoop
    private let listener: ListenerBinding
    private let isSecure: Bool
    /// Where the connection is read into; `nil` behind TLS, where the handler that decrypts reads.
    private let slot: ReceiveSlot?
    private var received: ByteBuffer?
    private var isDone = false
    private var timer: Scheduled<Void>?

    init(loop: ProxyLoop, listener: ListenerBinding, isSecure: Bool, slot: ReceiveSlot? = nil) {
        self.loop = loop
        self.listener = listener
        self.isSecure = isSecure
        self.slot = slot
    }

    func handlerAdded(context: ChannelHandlerContext) {
        // A client may connect ahead of its first request, but not ahead of its TLS handshake.
        let limits = loop.configuration.limits
        scheduleClose(context, in: isSecure ? limits.headerTimeout : limits.idleTimeout)
        loop.add(pending: self, channel: context.channel)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        if let received {
            self.received = nil
            context.fireChannelRead(wrapInboundOut(received))
            context.fireChannelReadComplete()
        }
        loop.remove(pending: self)
    }

    /// Until the protocol is known nobody else watches over this connection.
    private func scheduleClose(_ context: ChannelHandlerContext, in timeout: Duration) {
        timer?.cancel()
        let channel = context.channel
        timer = context.eventLoop.scheduleTask(in: .nanoseconds(timeout.wholeNanoseconds)) {
            channel.close(promise: nil)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // A client that leaves before its first request has nobody else to notice.
        if case ChannelEvent.inputClosed = event { context.close(promise: nil) }
        if case TLSUserEvent.handshakeCompleted(let negotiated) = event {
            decide(context, isHTTP2: negotiated == "h2")
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        let isFirst = received == nil
        if isFirst {
            received = bytes
        } else {
            received?.writeBuffer(&bytes)
        }
        guard !isSecure, !isDone, let received else { return }
        if isFirst { scheduleClose(context, in: loop.configuration.limits.headerTimeout) }
        let view = received.readableBytesView
        if !view.starts(with: Self.preface.prefix(view.count)) {
            decide(context, isHTTP2: false)
        } else if view.count >= Self.preface.count {
            decide(context, isHTTP2: true)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func decide(_ context: ChannelHandlerContext, isHTTP2: Bool) {
        guard !isDone else { return }
        isDone = true
        do {
            if isHTTP2 {
                if slot != nil { try SlotAllocator.remove(from: context.channel) }
                try HTTP2ConnectionHandler.configure(
                    context.channel, loop: loop, listener: listener, isSecure: isSecure)
            } else {
                try configureHTTP1(context.channel)
            }
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        } catch {
            context.close(promise: nil)
        }
    }

    private func configureHTTP1(_ channel: any Channel) throws {
        let client = HTTP1ClientHandler(
            session: ClientSession(loop: loop, listener: listener, isSecure: isSecure),
            limits: loop.configuration.limits,
            buffers: loop.writeBuffers,
            slot: slot
        )
        try channel.pipeline.syncOperations.addHandler(client)
    }
}
