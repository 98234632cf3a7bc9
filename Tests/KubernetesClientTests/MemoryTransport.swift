import KubernetesClient
import NIOCore
import Synchronization

/// A server in memory: a closure answers each request.
final class MemoryTransport: APITransport {
    private let requests = Mutex<[APIRequest]>([])
    private let answer: @Sendable (APIRequest) async throws(APIError) -> APIResponse

    init(answer: @escaping @Sendable (APIRequest) async throws(APIError) -> APIResponse) {
        self.answer = answer
    }

    /// What was asked so far.
    var sent: [APIRequest] { requests.withLock { $0 } }

    func send(_ request: APIRequest) async throws(APIError) -> APIResponse {
        requests.withLock { $0.append(request) }
        return try await answer(request)
    }
}

/// The pieces of a body, then its end, an error, or silence until the task is cancelled.
struct MemoryBody: AsyncSequence, Sendable {
    enum End: Sendable {
        case orderly
        case broken(String)
        case silent
    }

    struct Iterator: AsyncIteratorProtocol {
        var pieces: ArraySlice<ByteBuffer>
        let end: End

        mutating func next() async throws -> ByteBuffer? {
            if let piece = pieces.popFirst() { return piece }
            switch end {
            case .orderly: return nil
            case .broken(let text): throw APIError.unreachable(text)
            case .silent:
                let (silence, continuation) = AsyncStream.makeStream(
                    of: Void.self, bufferingPolicy: .bufferingNewest(1))
                for await _ in silence {}
                _ = continuation
                throw APIError.unreachable("cancelled")
            }
        }
    }

    var pieces: [ByteBuffer]
    var end = End.orderly

    func makeAsyncIterator() -> Iterator { Iterator(pieces: pieces[...], end: end) }
}

extension APIResponse {
    /// An answer of these pieces.
    static func memory(
        _ status: Int = 200,
        _ pieces: [String],
        end: MemoryBody.End = .orderly,
        retryAfter: Duration? = nil
    ) -> APIResponse {
        APIResponse(
            status: status, retryAfter: retryAfter,
            body: MemoryBody(pieces: pieces.map { ByteBuffer(string: $0) }, end: end)
        )
    }
}

extension APIRequest {
    /// The parameters by name.
    var parameters: [String: String] { Dictionary(query.map { ($0.name, $0.value) }) { _, last in last } }
    /// The body as text.
    var text: String { String(decoding: body, as: UTF8.self) }
}
