import NIOCore

/// A buffer that all connections of an event loop use one after the other: one for what they read, one for what they
/// write.
///
/// What was read is nearly always taken, and what was written has left, before the next message: then the same memory
/// serves again. When it is still held, its owner keeps it and the next one gets a new one. Confined to one event loop.
final class BufferPool {
    /// A buffer that grew beyond this is not kept.
    static let keptBytesMax = 64 << 10

    private var spare: ByteBuffer?

    /// An empty buffer with room for `capacity` bytes or more.
    func take(_ capacity: Int) -> ByteBuffer {
        guard var buffer = spare.take() else { return ByteBufferAllocator().buffer(capacity: capacity) }
        buffer.clear(minimumCapacity: capacity)
        return buffer
    }

    /// Keeps a buffer that was used, for the next who takes one.
    func giveBack(_ buffer: ByteBuffer) {
        if spare == nil, buffer.storageCapacity <= Self.keptBytesMax { spare = buffer }
    }
}
