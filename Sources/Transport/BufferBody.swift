import GatewayCore
package import NIOCore
import Synchronization

/// A request's body in a transport buffer.
package struct BufferBody: BodyBytes {
    private let buffer: ByteBuffer?

    /// Wraps the readable bytes of `buffer`; `nil` is an empty body.
    package init(_ buffer: ByteBuffer?) {
        self.buffer = buffer
    }

    /// The number of bytes.
    package var count: Int { buffer?.readableBytes ?? 0 }

    /// Calls `body` with the buffer's readable bytes.
    package func withBytes<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
        guard let buffer else { return try body(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: nil, count: 0))) }
        return try buffer.withUnsafeReadableBytes { try body(RawSpan(_unsafeBytes: $0)) }
    }
}

/// A request's body that is let go of before the request ends: a prompt can have hundreds of kilobytes, and its
/// response can take minutes. Safe from any thread.
package final class ReleasableBody: BodyBytes {
    private let body: Mutex<BufferBody>

    /// Wraps the readable bytes of `buffer`; `nil` is an empty body.
    package init(_ buffer: ByteBuffer?) {
        body = Mutex(BufferBody(buffer))
    }

    /// The number of bytes; 0 once they are released.
    package var count: Int { body.withLock { $0.count } }

    /// Calls `body` with the bytes; with none once they are released.
    package func withBytes<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
        // Not under the lock: what is called may take long.
        try self.body.withLock { $0 }.withBytes(body)
    }

    /// Lets go of the bytes. Who is reading them reads them to the end.
    package func release() {
        body.withLock { $0 = BufferBody(nil) }
    }
}

extension ByteBuffer {
    /// A copy in which other bytes take the place of some.
    ///
    /// - Parameter range: the bytes that go, counted from the first readable one; within the readable bytes.
    package func replacing(_ range: Range<Int>, with bytes: [UInt8]) -> ByteBuffer {
        let view = readableBytesView
        let start = view.startIndex
        var new = ByteBufferAllocator().buffer(capacity: readableBytes - range.count + bytes.count)
        new.writeBytes(view[start..<start + range.lowerBound])
        new.writeBytes(bytes)
        new.writeBytes(view[(start + range.upperBound)...])
        return new
    }
}
