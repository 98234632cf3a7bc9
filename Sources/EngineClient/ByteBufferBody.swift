import GatewayCore
import NIOCore

/// A response body in the buffer that the transport received it in.
struct ByteBufferBody: BodyBytes {
    private let buffer: ByteBuffer

    init(_ buffer: ByteBuffer) {
        self.buffer = buffer
    }

    var count: Int { buffer.readableBytes }

    func withBytes<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
        try body(buffer.readableBytesSpan)
    }
}
