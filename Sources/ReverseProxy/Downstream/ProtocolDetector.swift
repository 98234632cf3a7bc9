import GatewayCore
import NIOCore
import NIOHTTP1
import NIOTLS
import RequestControl

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
    private var received: ByteBuffer?
    private var isDone = false
    private var timer: Scheduled<Void>?

    init(loop: ProxyLoop, listener: ListenerBinding, isSecure: Bool) {
        self.loop = loop
        self.listener = listener
        self.isSecure = isSecure
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
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = loop.configuration.limits.maxHeaderBytes
        limits.maxHeaderListSize = loop.configuration.limits.maxHeaderBytes
        limits.maxHeaderFieldCount = loop.configuration.limits.maxHeaderFields
        let decoder = HTTPRequestDecoder(
            leftOverBytesStrategy: .dropBytes,
            informationalResponseStrategy: .drop,
            limitConfiguration: limits
        )
        let pipeline = channel.pipeline.syncOperations
        // The handler frames responses itself: the encoder does not know which of them answer a HEAD.
        var framing = HTTPResponseEncoder.Configuration()
        framing.automaticallySetFramingHeaders = false
        try pipeline.addHandler(HTTPResponseEncoder(configuration: framing))
        let client = DownstreamHandler(loop: loop, listener: listener, isSecure: isSecure, isStream: false)
        try pipeline.addHandler(ArrivalObserver(client))
        try pipeline.addHandler(ByteToMessageHandler(decoder))
        try pipeline.addHandler(client)
    }
}

/// Tells a client's handler of bytes that the decoder may keep to itself: those of a head that is not whole.
final class ArrivalObserver: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private unowned let client: DownstreamHandler

    init(_ client: DownstreamHandler) {
        self.client = client
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        client.bytesArrived()
        context.fireChannelRead(data)
    }
}
