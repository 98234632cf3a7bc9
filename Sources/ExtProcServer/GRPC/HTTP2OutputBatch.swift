import NIOCore

/// Bytes of one stream that wait until they may be sent.
struct WaitingBytes {
    struct Piece {
        var bytes: ByteBuffer
        /// Succeeds when the system has taken the piece.
        var written: EventLoopPromise<Void>?
    }

    private var pieces: [Piece] = []
    private var first = 0

    mutating func append(_ bytes: ByteBuffer, _ written: EventLoopPromise<Void>?) {
        pieces.append(Piece(bytes: bytes, written: written))
    }

    /// The next bytes, at most `count`; with the promise if they are the rest of a piece. Something must be there.
    mutating func take(_ count: Int) -> Piece {
        if pieces[first].bytes.readableBytes > count {
            guard let part = pieces[first].bytes.readSlice(length: count) else {
                preconditionFailure("a piece is longer than what is taken of it")
            }
            return Piece(bytes: part)
        }
        let piece = pieces[first]
        pieces[first] = Piece(bytes: ByteBuffer())
        first += 1
        if first == pieces.count {
            pieces.removeAll(keepingCapacity: first <= 64)
            first = 0
        } else if first > 64, 2 * first > pieces.count {
            pieces.removeFirst(first)
            first = 0
        }
        return piece
    }

    /// Drops everything; returns the promises, which are to be failed when nobody holds the bytes any more: what they
    /// wake may write again.
    mutating func drop() -> [EventLoopPromise<Void>] {
        guard !pieces.isEmpty else { return [] }
        let promises = pieces[first...].compactMap(\.written)
        pieces = []
        first = 0
        return promises
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
    mutating func append(_ piece: WaitingBytes.Piece, _ context: ChannelHandlerContext) {
        byteCount += piece.bytes.readableBytes
        guard piece.bytes.readableBytes > Self.copiedBytesMax else {
            makeReady()
            buffer.writeImmutableBuffer(piece.bytes)
            if let promise = piece.written { written.append(promise) }
            return
        }
        writeBuffer(context)
        context.write(NIOAny(piece.bytes), promise: piece.written)
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
