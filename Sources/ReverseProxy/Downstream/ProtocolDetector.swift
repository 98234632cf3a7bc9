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
    private let routes: RouteTableKey
    private let isSecure: Bool
    private var received: ByteBuffer?
    private var isDone = false

    init(loop: ProxyLoop, routes: RouteTableKey, isSecure: Bool) {
        self.loop = loop
        self.routes = routes
        self.isSecure = isSecure
    }

    func handlerAdded(context: ChannelHandlerContext) {
        // Until the protocol is known nobody else watches over this connection.
        let channel = context.channel
        let timeout = TimeAmount.nanoseconds(loop.configuration.limits.idleTimeout.wholeNanoseconds)
        let timer = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) { [weak self] in
            if let self, !self.isDone { channel.close(promise: nil) }
        }
        channel.closeFuture.whenComplete { _ in timer.cancel() }
        loop.add(pending: self, channel: channel)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        loop.remove(pending: self)
        if let received { context.fireChannelRead(wrapInboundOut(received)) }
        received = nil
        context.fireChannelReadComplete()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted(let negotiated) = event {
            decide(context, isHTTP2: negotiated == "h2")
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if received == nil {
            received = bytes
        } else {
            received?.writeBuffer(&bytes)
        }
        guard !isSecure, !isDone, let received else { return }
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
                try HTTP2ConnectionHandler.configure(context.channel, loop: loop, routes: routes, isSecure: isSecure)
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
        try pipeline.addHandler(HTTPResponseEncoder())
        try pipeline.addHandler(ByteToMessageHandler(decoder))
        try pipeline.addHandler(DownstreamHandler(loop: loop, routes: routes, isSecure: isSecure, isStream: false))
    }
}
