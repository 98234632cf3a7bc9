import NIOCore
import Transport

/// Makes a connection read into a buffer that all connections of the client share.
///
/// An answer is nearly always read and looked at before the next one comes: then the same memory serves all of them. A
/// thousand connections with memory of their own would have a page each, which has left the processor's cache when its
/// turn comes again. Used on the connection's event loop only.
struct ReceiveAllocator: RecvByteBufferAllocator {
    /// The most bytes of one read.
    static let bytesMax = 256 << 10
    /// The bytes of a connection's first read: the channel keeps the buffer that it read into first.
    private static let firstBytes = 512

    private let buffers: NIOLoopBound<BufferPool>
    // A metrics page has tens of kilobytes: mostly one read.
    private var sizing = AdaptiveRecvByteBufferAllocator(minimum: 2_048, initial: 65_536, maximum: bytesMax)
    private var hasRead = false

    init(_ buffers: BufferPool, eventLoop: any EventLoop) {
        self.buffers = NIOLoopBound(buffers, eventLoop: eventLoop)
    }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        if !hasRead { return allocator.buffer(capacity: Self.firstBytes) }
        return buffers.value.take(sizing.nextBufferSize() ?? sizing.initial)
    }

    mutating func record(actualReadBytes: Int) -> Bool {
        if hasRead { _ = sizing.record(actualReadBytes: actualReadBytes) }
        hasRead = true
        // Only an allocator that says so is asked for the next buffer.
        return true
    }
}
