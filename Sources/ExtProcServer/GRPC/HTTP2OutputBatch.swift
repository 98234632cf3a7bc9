import NIOCore

/// Bytes of one stream that wait until they may be sent.
struct WaitingBytes {
    private var pieces: [(bytes: ByteBuffer, written: EventLoopPromise<Void>?)] = []
    private var first = 0

    mutating func append(_ bytes: ByteBuffer, _ written: EventLoopPromise<Void>?) {
        pieces.append((bytes, written))
    }

    /// The next bytes, at most `count`, and the promise of the piece that they end. As many must be there.
    mutating func take(_ count: Int) -> (bytes: ByteBuffer, written: EventLoopPromise<Void>?) {
        if pieces[first].bytes.readableBytes > count {
            guard let part = pieces[first].bytes.readSlice(length: count) else {
                preconditionFailure("a piece is longer than what is taken of it")
            }
            return (part, nil)
        }
        let piece = pieces[first]
        pieces[first] = (ByteBuffer(), nil)
        first += 1
        if first == pieces.count {
            pieces.removeAll(keepingCapacity: first <= 64)
            first = 0
        }
        return piece
    }

    /// Drops everything.
    mutating func drop() {
        guard !pieces.isEmpty else { return }
        let dropped = pieces[first...]
        pieces = []
        first = 0
        for piece in dropped { piece.written?.fail(ChannelError.ioOnClosedChannel) }
    }
}

/// Gathers what a connection sends into few writes: small pieces are copied one behind the other, large ones are
/// written as they are.
struct HTTP2OutputBatch {
    /// Pieces up to this many bytes are copied.
    private static let copiedBytesMax = 4096
    /// A buffer that has grown beyond this is not kept.
    private static let keptBytes = 64 << 10

    private var buffer = ByteBuffer()
    private var isSpent = false
    private var written: [EventLoopPromise<Void>] = []
    /// Bytes that were added since the last ``flush(_:)``.
    private(set) var byteCount = 0

    /// Adds bytes, which are copied.
    mutating func append(_ bytes: RawSpan) {
        makeReady()
        byteCount += bytes.byteCount
        bytes.withUnsafeBytes { _ = buffer.writeBytes($0) }
    }

    /// Adds a piece.
    /// - Parameter written: succeeds when the system has taken the piece.
    mutating func append(_ bytes: ByteBuffer, written: EventLoopPromise<Void>?, _ context: ChannelHandlerContext) {
        byteCount += bytes.readableBytes
        guard bytes.readableBytes > Self.copiedBytesMax else {
            makeReady()
            buffer.writeImmutableBuffer(bytes)
            if let written { self.written.append(written) }
            return
        }
        writeBuffer(context)
        context.write(NIOAny(bytes), promise: written)
    }

    /// Adds a promise for everything so far. Something must have been added since the last flush.
    mutating func append(_ written: EventLoopPromise<Void>) {
        self.written.append(written)
    }

    /// Writes and flushes what was added.
    mutating func flush(_ context: ChannelHandlerContext) {
        guard byteCount > 0 else { return }
        byteCount = 0
        writeBuffer(context)
        // A promise for a piece that was written as it is.
        if let promise = promise(context) { context.write(NIOAny(ByteBuffer()), promise: promise) }
        context.flush()
    }

    /// The buffer is cleared as late as this: by now the channel has let go of it in most cases, and it can be used
    /// again.
    private mutating func makeReady() {
        guard isSpent else { return }
        isSpent = false
        if buffer.capacity > Self.keptBytes { buffer = ByteBuffer() } else { buffer.clear() }
    }

    private mutating func writeBuffer(_ context: ChannelHandlerContext) {
        guard !isSpent, buffer.readableBytes > 0 else { return }
        isSpent = true
        context.write(NIOAny(buffer), promise: promise(context))
    }

    private mutating func promise(_ context: ChannelHandlerContext) -> EventLoopPromise<Void>? {
        guard written.count > 1 else { return written.popLast() }
        let promises = written
        written.removeAll(keepingCapacity: true)
        let all = context.eventLoop.makePromise(of: Void.self)
        all.futureResult.whenComplete { result in
            for promise in promises { promise.completeWith(result) }
        }
        return all
    }
}
