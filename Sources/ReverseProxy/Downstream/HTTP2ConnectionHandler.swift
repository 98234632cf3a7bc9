import GatewayCore
import NIOCore
import NIOHTTP2
import RequestControl

/// The life of one HTTP/2 connection: idle timeout and drain. Its streams are ``DownstreamHandler``s of their own.
final class HTTP2ConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    private let loop: ProxyLoop
    private var context: ChannelHandlerContext?
    private var openStreams = 0
    private var isDraining = false
    private var lastActivity = NIODeadline.now()

    init(loop: ProxyLoop) {
        self.loop = loop
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        loop.add(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        loop.remove(self)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is NIOHTTP2StreamCreatedEvent {
            openStreams += 1
            lastActivity = .now()
        } else if event is StreamClosedEvent {
            openStreams -= 1
            lastActivity = .now()
            if isDraining, openStreams == 0 { context.close(promise: nil) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A stream's error is the stream's own business; the connection's are followed by its close.
        if !(error is NIOHTTP2Errors.StreamError) { context.close(promise: nil) }
    }

    /// Closes the connection when no stream has been open for the idle timeout.
    func sweep(_ now: NIODeadline) {
        let limit = TimeAmount.nanoseconds(loop.configuration.limits.idleTimeout.wholeNanoseconds)
        if openStreams == 0, now - lastActivity > limit { drain() }
    }

    /// Tells the client to open no more streams, and closes the connection behind the last one (RFC 9113, 6.8).
    func drain() {
        guard let context, !isDraining else { return }
        isDraining = true
        let goAway = HTTP2Frame(
            streamID: .rootStream,
            payload: .goAway(lastStreamID: .maxID, errorCode: .noError, opaqueData: nil)
        )
        context.writeAndFlush(wrapOutboundOut(goAway), promise: nil)
        if openStreams == 0 { context.close(promise: nil) }
    }

    /// Closes the connection with all its streams.
    func abort() {
        context?.close(promise: nil)
    }

    /// Puts HTTP/2 on a connection.
    static func configure(_ channel: any Channel, loop: ProxyLoop, routes: RouteTableKey, isSecure: Bool) throws {
        var connection = NIOHTTP2Handler.ConnectionConfiguration()
        connection.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: loop.configuration.limits.maxConcurrentStreams),
            HTTP2Setting(parameter: .maxHeaderListSize, value: loop.configuration.limits.maxHeaderBytes),
            HTTP2Setting(parameter: .initialWindowSize, value: streamWindow),
        ]
        connection.targetWindowSize = 4 * streamWindow
        var stream = NIOHTTP2Handler.StreamConfiguration()
        stream.targetWindowSize = streamWindow
        // A client that cancels generations resets streams all day. The default of 200 in 30 s, meant against floods of
        // resets, would cut such clients off.
        stream.streamResetFrameRateLimit.maximumCount = 20_000
        connection.controlFrameRateLimit.maximumCount = 5_000
        let bound = NIOLoopBound(loop, eventLoop: channel.eventLoop)
        let handler = NIOHTTP2Handler(
            mode: .server,
            eventLoop: channel.eventLoop,
            connectionConfiguration: connection,
            streamConfiguration: stream
        ) { stream in
            stream.eventLoop.makeCompletedFuture {
                let pipeline = stream.pipeline.syncOperations
                try pipeline.addHandler(HTTP2FramePayloadToHTTP1ServerCodec())
                try pipeline.addHandler(
                    DownstreamHandler(loop: bound.value, routes: routes, isSecure: isSecure, isStream: true)
                )
            }
        }
        try channel.pipeline.syncOperations.addHandler(handler)
        try channel.pipeline.syncOperations.addHandler(HTTP2ConnectionHandler(loop: loop))
    }

    /// The flow-control window of a stream: large enough that a long prompt does not wait for window updates.
    private static let streamWindow = 1 << 20
}
