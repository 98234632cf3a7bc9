import NIOCore

/// The buffer that an event loop writes heads and small bodies into, used again and again.
///
/// What is written has nearly always left before the next message: then the same memory serves all connections of the
/// loop. When it has not, its owner keeps it and the next one gets a new one. Confined to one event loop.
final class WriteBuffers {
    /// A buffer that grew beyond this is not kept.
    static let keptBytesMax = 64 << 10
    /// What a new buffer has room for: a head and a small body.
    static let initialBytes = 2 << 10

    private var spare: ByteBuffer?

    /// An empty buffer.
    func take() -> ByteBuffer {
        guard var buffer = spare else { return ByteBufferAllocator().buffer(capacity: Self.initialBytes) }
        spare = nil
        buffer.clear(minimumCapacity: Self.initialBytes)
        return buffer
    }

    /// Keeps a buffer that was handed to a channel, for the next who takes one.
    func giveBack(_ buffer: ByteBuffer) {
        if spare == nil, buffer.storageCapacity <= Self.keptBytesMax { spare = buffer }
    }
}
