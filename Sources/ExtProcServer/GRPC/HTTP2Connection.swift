import NIOCore
import NIOHPACK
import NIOHTTP2

/// One client's HTTP/2 connection, on swift-nio-http2's frames.
///
/// The frames are taken as they come, without a channel for each stream: a picker's streams carry a handful of messages
/// each, and a channel with its pipeline would cost more than all of them. Confined to its event loop.
final class HTTP2Connection: ChannelInboundHandler, GRPCLoopConnection {
    typealias InboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    /// What the client may send of all calls; large, so that a connection's calls wait for their own windows only.
    private static let connectionWindowBytes = 1 << 30

    private let loop: GRPCLoop
    private var context: ChannelHandlerContext?
    private var streams: [HTTP2StreamID: GRPCStream] = [:]
    /// Streams that wrote something while bytes were read.
    private var writers: [GRPCStream] = []
    private var isReading = false
    private var consumedBytes = 0
    private var isDraining = false
    private var hasSpoken = false
    private let openedAt = NIODeadline.now()
    private var lastRead = NIODeadline.now()
    /// When a connection that has said goodbye is closed, whether or not the client has taken it.
    private var closesAt: NIODeadline?
    private var pingedAt: NIODeadline?

    private init(loop: GRPCLoop) {
        self.loop = loop
    }

    /// Puts HTTP/2 and the calls on a connection.
    static func install(on channel: any Channel, loop: GRPCLoop) throws {
        var connection = NIOHTTP2Handler.ConnectionConfiguration()
        connection.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: loop.configuration.maxConcurrentStreams),
            HTTP2Setting(parameter: .maxHeaderListSize, value: loop.configuration.maxHeaderBytes),
            HTTP2Setting(parameter: .initialWindowSize, value: loop.configuration.streamWindowBytes),
        ]
        connection.controlFrameRateLimit.maximumCount = 5_000
        connection.maximumConnectionGlitches = 10_000
        var stream = NIOHTTP2Handler.StreamConfiguration()
        // Envoy ends every stream by a reset: the default of 200 in 30 s, meant against floods of them, would cut it
        // off in the first second of any load.
        stream.streamResetFrameRateLimit.maximumCount = 10_000_000
        stream.streamErrorRateLimit.maximumCount = 10_000
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(
            NIOHTTP2Handler(mode: .server, connectionConfiguration: connection, streamConfiguration: stream)
        )
        try pipeline.addHandler(HTTP2Connection(loop: loop))
    }

    // MARK: ChannelHandler

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        loop.add(self)
        if context.channel.isActive { openWindow(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        openWindow(context)
        context.fireChannelActive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        closeStreams()
        self.context = nil
        loop.remove(self)
    }

    func channelInactive(context: ChannelHandlerContext) {
        closeStreams()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isReading = true
        let frame = unwrapInboundIn(data)
        switch frame.payload {
        case .data(let data): receivedData(data, frame.streamID)
        case .headers(let headers): receivedHeaders(headers, frame.streamID)
        case .rstStream: close(frame.streamID)
        case .settings: hasSpoken = true
        default: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        lastRead = .now()
        pingedAt = nil
        let writers = writers
        self.writers.removeAll(keepingCapacity: true)
        for stream in writers { stream.handOver() }
        if consumedBytes >= Self.connectionWindowBytes / 4 {
            write(.windowUpdate(windowSizeIncrement: consumedBytes), .rootStream)
            consumedBytes = 0
        }
        context.flush()
        context.fireChannelReadComplete()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let closed as StreamClosedEvent: close(closed.streamID)
        case ChannelEvent.inputClosed: context.close(promise: nil)
        default: break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A stream's error is the stream's own business; the connection's are followed by its close.
        guard !(error is NIOHTTP2Errors.StreamError) else { return }
        context.close(promise: nil)
    }

    // MARK: Frames

    private func receivedHeaders(_ headers: HTTP2Frame.FramePayload.Headers, _ id: HTTP2StreamID) {
        if let known = streams[id] {
            // The only header block behind the first is that of trailers, and gRPC's clients send none.
            if headers.endStream { known.receivedEnd() }
            return
        }
        let stream = GRPCStream(Int(id), connection: self, configuration: loop.configuration)
        streams[id] = stream
        let path = headers.headers.first(name: ":path") ?? ""
        guard headers.headers.first(name: "content-type")?.hasPrefix("application/grpc") ?? false else {
            return stream.end(GRPCStatus(.internal, "the content-type must be application/grpc"))
        }
        if loop.configuration.keepsTraceParent { stream.traceParent = headers.headers.first(name: "traceparent") }
        loop.startCall(path, on: stream, isLast: headers.endStream)
    }

    private func receivedData(_ data: HTTP2Frame.FramePayload.Data, _ id: HTTP2StreamID) {
        guard case .byteBuffer(let bytes) = data.data else { return }
        consumedBytes += bytes.readableBytes + (data.paddingBytes.map { $0 + 1 } ?? 0)
        guard let stream = streams[id] else { return }
        stream.received(bytes)
        if data.endStream { stream.receivedEnd() }
        if writers.last !== stream { writers.append(stream) }
    }

    private func close(_ id: HTTP2StreamID) {
        guard let stream = streams.removeValue(forKey: id) else { return }
        stream.closed()
        guard isDraining, streams.isEmpty, let context else { return }
        // Not from within the handler that tells it: that one is still handling the stream's last frame.
        context.eventLoop.assumeIsolated().execute {
            if self.streams.isEmpty { self.sayGoodbye(andClose: true) }
        }
    }

    private func closeStreams() {
        let open = streams.values
        streams = [:]
        writers = []
        for stream in open { stream.closed() }
    }

    private func write(_ payload: HTTP2Frame.FramePayload, _ id: HTTP2StreamID, promise: EventLoopPromise<Void>? = nil)
    {
        guard let context else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        context.write(wrapOutboundOut(HTTP2Frame(streamID: id, payload: payload)), promise: promise)
    }

    /// The connection's window is 65,535 bytes when it begins (RFC 9113, 6.9.2), whatever the settings say.
    private func openWindow(_ context: ChannelHandlerContext) {
        write(.windowUpdate(windowSizeIncrement: Self.connectionWindowBytes - 65_535), .rootStream)
        context.flush()
    }

    // MARK: Life

    /// Closes a connection that does not begin to speak; asks a silent one for a sign of life, and closes it without
    /// one.
    func sweep(_ now: NIODeadline) {
        let configuration = loop.configuration
        if let closesAt {
            if now >= closesAt { context?.close(promise: nil) }
        } else if let pingedAt {
            if now - pingedAt > TimeAmount(configuration.keepaliveTimeout) { context?.close(promise: nil) }
        } else if !hasSpoken {
            if now - openedAt > TimeAmount(configuration.handshakeTimeout) { context?.close(promise: nil) }
        } else if now - lastRead > TimeAmount(configuration.keepaliveInterval) {
            pingedAt = now
            write(.ping(HTTP2PingData(withInteger: 0x6d61_7274), ack: false), .rootStream)
            context?.flush()
        }
    }

    /// Tells the client to open no more streams, and closes the connection behind the last one (RFC 9113, 6.8).
    func drain() {
        guard !isDraining else { return }
        isDraining = true
        sayGoodbye(andClose: streams.isEmpty)
    }

    /// Ends every call and closes.
    func abort() {
        for stream in Array(streams.values) { stream.abort() }
        sayGoodbye(andClose: true)
    }

    /// Writes a GOAWAY. The close waits until it is written, and with it everything that the streams wrote before.
    private func sayGoodbye(andClose closes: Bool) {
        guard let context else { return }
        if closes { closesAt = .now() + .seconds(5) }
        let written = context.eventLoop.makePromise(of: Void.self)
        let channel = context.channel
        if closes { written.futureResult.whenComplete { _ in channel.close(promise: nil) } }
        write(.goAway(lastStreamID: .maxID, errorCode: .noError, opaqueData: nil), .rootStream, promise: written)
        context.flush()
    }
}

extension HTTP2Connection: GRPCConnection {
    private static let responseHeaders: HPACKHeaders = [":status": "200", "content-type": "application/grpc"]

    var eventLoop: any EventLoop {
        guard let context else { preconditionFailure("a stream uses its connection only while that has a channel") }
        return context.eventLoop
    }

    func writeHeaders(_ stream: Int) {
        write(.headers(.init(headers: Self.responseHeaders)), HTTP2StreamID(stream))
    }

    func writeData(_ bytes: ByteBuffer, _ stream: Int, written: EventLoopPromise<Void>?) {
        write(.data(.init(data: .byteBuffer(bytes))), HTTP2StreamID(stream), promise: written)
    }

    func writeEnd(_ status: GRPCStatus, _ stream: Int, isBegun: Bool, isClientDone: Bool) {
        var trailers = isBegun ? HPACKHeaders() : Self.responseHeaders
        trailers.add(name: "grpc-status", value: String(status.code.rawValue))
        if !status.message.isEmpty {
            trailers.add(name: "grpc-message", value: String(decoding: status.escapedMessage, as: UTF8.self))
        }
        if status.code == .unimplemented { trailers.add(name: "grpc-accept-encoding", value: "identity") }
        let id = HTTP2StreamID(stream)
        guard !isClientDone, let context else {
            write(.headers(.init(headers: trailers, endStream: true)), id)
            return flush()
        }
        // The reset waits until the rest has left: it would overtake what waits for the client's window.
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenSuccess {
            guard self.streams[id] != nil else { return }
            self.write(.rstStream(.noError), id)
            self.context?.flush()
        }
        write(.headers(.init(headers: trailers, endStream: true)), id, promise: written)
        flush()
    }

    func allow(bytes: Int, _ stream: Int) {
        write(.windowUpdate(windowSizeIncrement: bytes), HTTP2StreamID(stream))
        flush()
    }

    func flush() {
        // Behind the bytes that are being read everything is flushed at once.
        if !isReading { context?.flush() }
    }
}
