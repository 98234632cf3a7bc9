import GatewayCore
import NIOCore
import NIOHTTP2
import RequestControl

/// The life of one HTTP/2 connection: idle timeout and drain. Its streams are ``HTTP2StreamHandler``s.
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

    /// A stream opened.
    func streamOpened() {
        openStreams += 1
        lastActivity = .now()
    }

    /// A stream is over.
    func streamClosed() {
        openStreams -= 1
        lastActivity = .now()
        guard isDraining, openStreams == 0, let context else { return }
        // Not from within the handler that tells it: that one is still handling the stream's last frame.
        context.eventLoop.assumeIsolated().execute {
            if self.openStreams == 0 { self.sayGoodbye(andClose: true) }
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // HTTP/2 knows no half-closed connection: a client that stops sending has left.
        if case ChannelEvent.inputClosed = event { context.close(promise: nil) }
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
        guard !isDraining else { return }
        isDraining = true
        sayGoodbye(andClose: openStreams == 0)
    }

    /// Writes a GOAWAY. The close waits until it is written, and with it everything that the streams wrote before.
    private func sayGoodbye(andClose closes: Bool) {
        guard let context else { return }
        let goAway = HTTP2Frame(
            streamID: .rootStream,
            payload: .goAway(lastStreamID: .maxID, errorCode: .noError, opaqueData: nil)
        )
        let written = context.eventLoop.makePromise(of: Void.self)
        let channel = context.channel
        if closes { written.futureResult.whenComplete { _ in channel.close(promise: nil) } }
        context.writeAndFlush(wrapOutboundOut(goAway), promise: written)
    }

    /// Closes the connection with all its streams.
    func abort() {
        context?.close(promise: nil)
    }

    /// Puts HTTP/2 on a connection.
    static func configure(_ channel: any Channel, loop: ProxyLoop, listener: ListenerBinding, isSecure: Bool) throws {
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
        let owner = HTTP2ConnectionHandler(loop: loop)
        let handler = NIOHTTP2Handler(
            mode: .server,
            eventLoop: channel.eventLoop,
            connectionConfiguration: connection,
            streamConfiguration: stream,
            streamDelegate: StreamCount(connection: NIOLoopBound(owner, eventLoop: channel.eventLoop))
        ) { stream in
            stream.eventLoop.makeCompletedFuture {
                let pipeline = stream.pipeline.syncOperations
                try pipeline.addHandler(HTTP2FramePayloadToHTTP1ServerCodec())
                let session = ClientSession(loop: bound.value, listener: listener, isSecure: isSecure)
                try pipeline.addHandler(HTTP2StreamHandler(session: session))
            }
        }
        try channel.pipeline.syncOperations.addHandler(handler)
        try channel.pipeline.syncOperations.addHandler(owner)
    }

    /// The flow-control window of a stream: large enough that a long prompt does not wait for window updates.
    private static let streamWindow = 1 << 20
}

/// Tells a connection of its streams. The multiplexer fires no events for them.
private struct StreamCount: NIOHTTP2StreamDelegate {
    let connection: NIOLoopBound<HTTP2ConnectionHandler>

    func streamCreated(_ id: HTTP2StreamID, channel: any Channel) {
        connection.value.streamOpened()
    }

    func streamClosed(_ id: HTTP2StreamID, channel: any Channel) {
        connection.value.streamClosed()
    }
}
