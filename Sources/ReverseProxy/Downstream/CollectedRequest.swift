import GatewayCore
import NIOCore
import NIOHTTP1

/// A request while its parts arrive.
struct CollectedRequest {
    private var head: HTTPRequestHead?
    private var body: ByteBuffer?
    private var receivedAt = MonotonicInstant(nanoseconds: 0)
    /// Body bytes so far.
    private(set) var length = 0

    init() {}

    init(head: HTTPRequestHead, receivedAt: MonotonicInstant) {
        self.head = head
        self.receivedAt = receivedAt
    }

    /// The path with query; `/` before the head.
    var path: String { head?.uri ?? "/" }

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
            let announced = head?.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
            // The announcement is the client's word: at most 1 MiB is set aside for bytes that have not come.
            let wanted = max(length, min(announced, length + (1 << 20)))
            var larger = ByteBufferAllocator().buffer(capacity: max(wanted, gathered.readableBytes * 2))
            larger.writeBuffer(&gathered)
            gathered = larger
        }
        gathered.writeImmutableBuffer(bytes)
        body = gathered
    }

    /// The whole request, once.
    mutating func take() -> (head: HTTPRequestHead, body: ByteBuffer?, incoming: IncomingRequest)? {
        guard var head else { return nil }
        let body = body
        self.head = nil
        self.body = nil
        length = 0
        let authority = head.normalizeTarget()
        let incoming = IncomingRequest(
            method: head.method.rawValue,
            target: head.uri,
            authority: authority,
            headers: HeaderMap(head.headers.map { HeaderMap.Field(name: $0.name, value: $0.value) }),
            body: BufferBody(body),
            receivedAt: receivedAt
        )
        return (head, body, incoming)
    }

    /// The refusal of a body over the limit.
    func tooLarge(_ loop: ProxyLoop) -> Rejection {
        InboundFault.bodyTooLarge(limit: loop.configuration.limits.maxBodyBytes)
    }
}

extension HTTPRequestHead {
    /// Turns the absolute form of a target (RFC 9112, 3.2.2) into the origin form, and returns the request's authority.
    fileprivate mutating func normalizeTarget() -> String {
        let host = headers.first(name: "host") ?? ""
        guard !uri.utf8.starts(with: "/".utf8), let scheme = uri.range(ofSchemeSeparator: "://") else { return host }
        let rest = uri[scheme...]
        let slash = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let authority = String(rest[..<slash])
        let path = rest[slash...]
        uri = path.first == "/" ? String(path) : "/" + path
        headers.replaceOrAdd(name: "host", value: authority)
        return authority
    }
}

extension String {
    /// The position behind the first `separator`; `nil` when there is none.
    fileprivate func range(ofSchemeSeparator separator: String) -> String.Index? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(separator) { return index(start, offsetBy: separator.count) }
            formIndex(after: &start)
        }
        return nil
    }
}

/// A request's body in a transport buffer.
struct BufferBody: BodyBytes {
    private let buffer: ByteBuffer?

    init(_ buffer: ByteBuffer?) {
        self.buffer = buffer
    }

    var count: Int { buffer?.readableBytes ?? 0 }

    func withBytes<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
        guard let buffer else { return try body(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: nil, count: 0))) }
        return try buffer.withUnsafeReadableBytes { try body(RawSpan(_unsafeBytes: $0)) }
    }
}
