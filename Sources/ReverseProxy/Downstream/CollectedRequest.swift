import GatewayCore
import NIOCore
import Transport

/// A request while its parts arrive.
struct CollectedRequest {
    private let head: RequestHead
    private let receivedAt: MonotonicInstant
    private var body: ByteBuffer?
    /// Body bytes so far.
    private(set) var length = 0

    init(head: RequestHead, receivedAt: MonotonicInstant) {
        self.head = head
        self.receivedAt = receivedAt
    }

    /// The path with query.
    var path: String { head.target }

    /// Adds a piece of the body. The first one is kept as it is; a body that comes in several is gathered into one
    /// buffer of the announced length, because parsing and hashing want it in one piece.
    mutating func append(_ bytes: ByteBuffer) {
        length += bytes.readableBytes
        guard var gathered = body else {
            body = bytes
            return
        }
        body = nil
        if gathered.writableBytes < bytes.readableBytes {
            // The announcement is the client's word: at most 1 MiB is set aside for bytes that have not come.
            let wanted = max(length, min(head.contentLength ?? 0, length + (1 << 20)))
            var larger = ByteBufferAllocator().buffer(capacity: max(wanted, gathered.readableBytes * 2))
            larger.writeBuffer(&gathered)
            gathered = larger
        }
        gathered.writeImmutableBuffer(bytes)
        body = gathered
    }

    /// The whole request.
    consuming func finished() -> (request: IncomingRequest, body: ByteBuffer?) {
        let request = IncomingRequest(
            method: head.method,
            target: head.target,
            authority: head.authority,
            headers: head.headers,
            body: BufferBody(body),
            receivedAt: receivedAt
        )
        return (request, body)
    }
}
