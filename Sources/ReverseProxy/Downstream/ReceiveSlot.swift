import NIOCore
import Transport

/// Where a client's connection reads into.
///
/// A request's body is wanted in one piece. Read as it comes, a long one would come in many pieces and be copied
/// together, and memory that was just copied is memory that the next reader has to fetch again. So the part that has
/// come is laid down here, with room for the rest, and the next read of the socket goes behind it. Everything else is
/// read into a buffer that all connections of the loop share: an idle connection holds none. Confined to one event
/// loop.
final class ReceiveSlot {
    private let buffers: BufferPool
    /// How large the next buffer is that nothing was laid down for.
    private var sizing = AdaptiveRecvByteBufferAllocator(minimum: 1 << 10, initial: 4 << 10, maximum: 64 << 10)
    private var begun: ByteBuffer?
    /// Whether the last read went behind what was laid down: what came of it begins with that.
    private(set) var isContinuation = false
    /// Whether a read that brought nothing took away what was laid down: the channel drops the buffer of such a read.
    /// The system announces no read without bytes, so this is not expected; but a request must not go on without them.
    private(set) var hasLostBytes = false
    private var isRecorded = true

    init(buffers: BufferPool) {
        self.buffers = buffers
    }

    /// Lays down bytes that the next read is to continue. There must be room behind them.
    func continueBehind(_ bytes: ByteBuffer) {
        begun = bytes
    }

    /// The buffer of the next read. Nobody else may hold its memory, or the read would copy it first.
    fileprivate func take() -> ByteBuffer {
        if isContinuation, !isRecorded { hasLostBytes = true }
        isRecorded = false
        isContinuation = begun != nil
        return begun.take() ?? buffers.take(sizing.nextBufferSize() ?? sizing.initial)
    }

    fileprivate func record(_ count: Int) {
        isRecorded = true
        if !isContinuation { _ = sizing.record(actualReadBytes: count) }
    }

    /// Gives a buffer back whose bytes were taken, or are held by whoever took them.
    func giveBack(_ buffer: ByteBuffer) {
        if !isContinuation { buffers.giveBack(buffer) }
    }
}

/// Makes a channel read into a ``ReceiveSlot``.
struct SlotAllocator: RecvByteBufferAllocator {
    private let slot: NIOLoopBound<ReceiveSlot>

    init(_ slot: ReceiveSlot, eventLoop: any EventLoop) {
        self.slot = NIOLoopBound(slot, eventLoop: eventLoop)
    }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        slot.value.take()
    }

    mutating func record(actualReadBytes: Int) -> Bool {
        slot.value.record(actualReadBytes)
        // Only an allocator that says so is asked for the next buffer.
        return true
    }

    /// Puts the allocator on a connection that has not been read from.
    static func install(_ slot: ReceiveSlot, on channel: any Channel) throws {
        let options = channel.syncOptions
        // With more than one read at a time the channel would keep buffers for the next one, and so hold their memory.
        try options?.setOption(.maxMessagesPerRead, value: 1)
        try options?.setOption(.recvAllocator, value: SlotAllocator(slot, eventLoop: channel.eventLoop))
    }

    /// Lets a connection read into buffers of its own again.
    static func remove(from channel: any Channel) throws {
        let options = channel.syncOptions
        try options?.setOption(.maxMessagesPerRead, value: 4)
        try options?.setOption(.recvAllocator, value: ReceiveBuffers.downstream)
    }
}
