import GatewayCore
package import NIOCore

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
