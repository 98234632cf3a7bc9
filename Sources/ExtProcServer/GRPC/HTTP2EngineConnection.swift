import HTTP2Engine
import NIOCore

/// One client's HTTP/2 connection, on the engine of HTTP2Engine. Confined to its event loop.
///
/// What is written while bytes are read leaves behind them in one batch.
final class HTTP2EngineConnection: ChannelInboundHandler, GRPCLoopConnection {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// A stream, at the place that the engine gave it.
    private struct Place {
        var stream: GRPCStream?
        var waiting = WaitingBytes()
    }

    /// After so many bytes they are sent, and the channel says whether it takes more.
    private static let batchBytesMax = 256 << 10
    /// What a client that takes nothing may cause of answers to its frames.
    private static let unsentControlBytesMax = 2 << 20
    /// How long the client may take to answer that it will open no more streams.
    private static let drainPatience = TimeAmount.seconds(1)
    private static let keepalivePing: UInt64 = 0x6d61_7274
    private static let drainPing: UInt64 = 0x6472_6169

    private let loop: GRPCLoop
    private var engine: HTTP2ServerEngine
    private var context: ChannelHandlerContext?
    private var places: [Place] = []
    /// Streams that may have written something while bytes were read.
    private var writers: [GRPCStream] = []
    /// The room of the last ones, for the next.
    private var pastWriters: [GRPCStream] = []
    private var batch = HTTP2OutputBatch()
    private var lastPath = ""
    private var isReading = false
    private var isSending = false
    private var sendsAgain = false
    private var unsentControlBytes = 0
    private var drainedAt: NIODeadline?
    private var refusesStreams = false
    /// When the connection is closed even if the client has not taken the last bytes.
    private var closesAt: NIODeadline?
    private let openedAt = NIODeadline.now()
    private var lastRead = NIODeadline.now()
    private var pingedAt: NIODeadline?

    private init(loop: GRPCLoop) {
        self.loop = loop
        var limits = HTTP2Limits()
        limits.maxConcurrentStreams = loop.configuration.maxConcurrentStreams
        limits.maxHeaderBytes = loop.configuration.maxHeaderBytes
        limits.streamWindowBytes = loop.configuration.streamWindowBytes
        engine = HTTP2ServerEngine(limits)
    }

    /// Puts HTTP/2 and the calls on a connection.
    static func install(on channel: any Channel, loop: GRPCLoop) throws {
        try channel.pipeline.syncOperations.addHandler(HTTP2EngineConnection(loop: loop))
    }

    // MARK: ChannelHandler

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        loop.add(self)
        if context.channel.isActive { send() }
    }

    func channelActive(context: ChannelHandlerContext) {
        send()
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
        let chunk = unwrapInboundIn(data)
        var offset = 0
        do throws(HTTP2Error) {
            while true {
                let event = try chunk.withUnsafeReadableBytes { (view) throws(HTTP2Error) in
                    try engine.next(in: RawSpan(_unsafeBytes: view), from: &offset)
                }
                guard let event else { break }
                take(event, chunk)
            }
        } catch {
            closeStreams()
            closeBehindOutput()
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        lastRead = .now()
        pingedAt = nil
        swap(&writers, &pastWriters)
        for stream in pastWriters { stream.handOver() }
        pastWriters.removeAll(keepingCapacity: true)
        send()
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { flush() }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    // MARK: Events

    private func take(_ event: HTTP2Event, _ chunk: ByteBuffer) {
        switch event {
        case .data(let id, let range, let isLast):
            guard let stream = places[id.place].stream else { return }
            if !range.isEmpty { stream.received(slice(range, of: chunk)) }
            if isLast { stream.receivedEnd() }
            if writers.last !== stream { writers.append(stream) }
        case .request(let id, let isLast): begin(id, isLast: isLast)
        case .trailers(let id):
            guard let stream = places[id.place].stream else { return }
            stream.receivedEnd()
            writers.append(stream)
        case .reset(let id, _, _): close(id)
        case .pingAcknowledged(Self.drainPing): refuseStreams()
        case .pingAcknowledged: break
        }
    }

    private func slice(_ range: Range<Int>, of chunk: ByteBuffer) -> ByteBuffer {
        guard let slice = chunk.getSlice(at: chunk.readerIndex + range.lowerBound, length: range.count) else {
            preconditionFailure("the engine tells places within the chunk")
        }
        return slice
    }

    private func begin(_ id: HTTP2Stream, isLast: Bool) {
        let stream = GRPCStream(id.rawValue, connection: self, configuration: loop.configuration)
        while places.count <= id.place { places.append(Place()) }
        places[id.place].stream = stream
        guard engine.header.isGRPC else {
            return stream.end(GRPCStatus(.internal, "the content-type must be application/grpc"))
        }
        // Nearly all calls of a connection are of one method.
        if !engine.header.isPath(lastPath) { lastPath = engine.header.pathText }
        if loop.configuration.keepsTraceParent { stream.traceParent = engine.header.value(of: "traceparent") }
        loop.startCall(lastPath, on: stream, isLast: isLast)
        if isLast { writers.append(stream) }
    }

    private func close(_ id: HTTP2Stream) {
        guard let stream = places[id.place].stream.take() else { return }
        let dropped = places[id.place].waiting.drop()
        stream.closed()
        for promise in dropped { promise.fail(ChannelError.ioOnClosedChannel) }
        guard refusesStreams, engine.streamCount == 0 else { return }
        engine.refuseStreams()
        closeBehindOutput()
    }

    private func closeStreams() {
        engine.abandon()
        let open = places
        places = []
        writers = []
        for var place in open {
            place.stream?.closed()
            for promise in place.waiting.drop() { promise.fail(ChannelError.ioOnClosedChannel) }
        }
    }

    // MARK: Sending

    /// Sends what may be sent.
    private func send() {
        guard let context, !isSending else {
            sendsAgain = true
            return
        }
        isSending = true
        repeat {
            sendsAgain = false
            gather(context)
            if closesAt != nil, batch.byteCount > 0 { batch.append(closePromise(context)) }
            batch.flush(context)
        } while sendsAgain
        isSending = false
        if context.channel.isWritable {
            unsentControlBytes = 0
        } else if unsentControlBytes > Self.unsentControlBytesMax {
            context.close(promise: nil)
        }
    }

    /// Gathers what may be sent, until the channel takes no more.
    private func gather(_ context: ChannelHandlerContext) {
        while context.channel.isWritable {
            while batch.byteCount < Self.batchBytesMax {
                guard let output = engine.nextOutput() else { return takeControlBytes() }
                switch output {
                case .closed(let id): close(id)
                case .data(let id, let count):
                    takeControlBytes()
                    take(count, of: id, context)
                }
            }
            takeControlBytes()
            batch.flush(context)
        }
        takeControlBytes()
    }

    private func takeControlBytes() {
        engine.takeOutput { bytes in
            unsentControlBytes += bytes.byteCount
            batch.append(bytes)
        }
    }

    private func take(_ count: Int, of id: HTTP2Stream, _ context: ChannelHandlerContext) {
        var missing = count
        while missing > 0 {
            let piece = places[id.place].waiting.take(missing)
            missing -= piece.bytes.readableBytes
            batch.append(piece, context)
        }
    }

    // MARK: Life

    /// Closes a connection that does not begin to speak; asks a silent one for a sign of life, and closes it without
    /// one.
    func sweep(_ now: NIODeadline) {
        engine.refill()
        let configuration = loop.configuration
        if let closesAt {
            if now >= closesAt { context?.close(promise: nil) }
        } else if let drainedAt, !refusesStreams {
            if now - drainedAt >= Self.drainPatience { refuseStreams() }
        } else if let pingedAt {
            if now - pingedAt > TimeAmount(configuration.keepaliveTimeout) { context?.close(promise: nil) }
        } else if !engine.hasBegun {
            if now - openedAt > TimeAmount(configuration.handshakeTimeout) { context?.close(promise: nil) }
        } else if now - lastRead > TimeAmount(configuration.keepaliveInterval) {
            pingedAt = now
            engine.ping(Self.keepalivePing)
            flush()
        }
    }

    /// Tells the client to open no more streams, and closes the connection behind the last one. Those that it opened
    /// before it knew are taken: they are all here when it has answered the ping that follows (RFC 9113, 6.8).
    func drain() {
        guard drainedAt == nil else { return }
        drainedAt = .now()
        guard engine.hasBegun else { return refuseStreams() }
        engine.announceEnd()
        engine.ping(Self.drainPing)
        flush()
    }

    private func refuseStreams() {
        guard !refusesStreams else { return }
        refusesStreams = true
        engine.refuseStreams()
        if engine.streamCount == 0 { closeBehindOutput() } else { flush() }
    }

    /// Ends every call and closes.
    func abort() {
        for place in places { place.stream?.abort() }
        engine.refuseStreams()
        closeBehindOutput(patience: .seconds(1))
    }

    /// Closes the connection when the engine's last words have gone. They must be in its output.
    private func closeBehindOutput(patience: TimeAmount = .seconds(5)) {
        closesAt = .now() + patience
        send()
    }

    private func closePromise(_ context: ChannelHandlerContext) -> EventLoopPromise<Void> {
        let written = context.eventLoop.makePromise(of: Void.self)
        let channel = context.channel
        written.futureResult.whenComplete { _ in channel.close(promise: nil) }
        return written
    }
}

extension HTTP2EngineConnection: GRPCConnection {
    var eventLoop: any EventLoop {
        guard let context else { preconditionFailure("a stream uses its connection only while that has a channel") }
        return context.eventLoop
    }

    func writeHeaders(_ stream: Int) {
        engine.begin(HTTP2Stream(rawValue: stream))
    }

    func writeData(_ bytes: ByteBuffer, _ stream: Int, written: EventLoopPromise<Void>?) {
        let id = HTTP2Stream(rawValue: stream)
        guard bytes.readableBytes > 0 else {
            written?.succeed()
            return
        }
        guard id.place < places.count, engine.send(bytes.readableBytes, id) else {
            written?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        places[id.place].waiting.append(bytes, written)
    }

    func writeEnd(_ status: GRPCStatus, _ stream: Int, isBegun: Bool, isClientDone: Bool) {
        let end = HTTP2CallEnd(
            status: status.code.rawValue,
            message: status.escapedMessage,
            refusesEncodings: status.code == .unimplemented
        )
        engine.finish(HTTP2Stream(rawValue: stream), with: end, resetsBehindIt: true)
        flush()
    }

    func allow(bytes: Int, _ stream: Int) {
        engine.allow(bytes, HTTP2Stream(rawValue: stream))
        flush()
    }

    func flush() {
        // Behind the bytes that are being read everything is sent at once.
        if !isReading { send() }
    }
}
