package import NIOCore

/// A buffer that all connections of an event loop use one after the other: one for what they read, one for what they
/// write.
///
/// What was read is nearly always taken, and what was written has left, before the next message: then the same memory
/// serves again. When it is still held, its owner keeps it and the next one gets a new one. Confined to one event loop.
package final class BufferPool {
    private let keptBytesMax: Int
    private var spare: ByteBuffer?

    /// A pool without a buffer.
    ///
    /// - Parameter keptBytesMax: a buffer that grew beyond this many bytes is not kept.
    package init(keptBytesMax: Int = 64 << 10) {
        self.keptBytesMax = keptBytesMax
    }

    /// An empty buffer with room for `capacity` bytes or more.
    package func take(_ capacity: Int) -> ByteBuffer {
        guard var buffer = spare.take() else { return ByteBufferAllocator().buffer(capacity: capacity) }
        buffer.clear(minimumCapacity: capacity)
        return buffer
    }

    /// Keeps a buffer that was used, for the next who takes one.
    package func giveBack(_ buffer: ByteBuffer) {
        if spare == nil, buffer.storageCapacity <= keptBytesMax { spare = buffer }
    }
}
