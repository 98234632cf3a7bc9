import Foundation
import NIOCore
import Synchronization

@testable import KubernetesClient

/// A server in memory that keeps one lease.
final class LeaseServer: APITransport {
    private struct State {
        var lease: Lease?
        var version = 10
        var watches: [AsyncStream<ByteBuffer>.Continuation] = []
        var failure: APIError?
        var hangs = false
        var requests: [String] = []
    }

    private let state = Mutex(State())
    private let mayWatch: Bool

    /// Makes a server.
    ///
    /// - Parameter lease: the lease that is there already.
    init(mayWatch: Bool = true, lease: Lease? = nil) {
        self.mayWatch = mayWatch
        state.withLock { $0.lease = lease?.stored(as: "9") }
    }

    /// The lease.
    var record: LeaseRecord? { state.withLock { $0.lease?.record } }
    /// What was asked.
    var requests: [String] { state.withLock { $0.requests } }

    /// From now on every request fails; `nil` for no more.
    func fail(_ error: APIError?) {
        state.withLock { $0.failure = error }
    }

    /// From now on no request is answered before it is cancelled.
    func hang() {
        state.withLock { $0.hangs = true }
    }

    func send(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let (failure, hangs) = state.withLock { state in
            state.requests.append("\(request.method.rawValue) \(request.path.split(separator: "/").last ?? "")")
            return (state.failure, state.hangs)
        }
        if hangs {
            let (silence, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
            for await _ in silence {}
            continuation.finish()
            throw .unreachable("cancelled")
        }
        if let failure { throw failure }
        if request.path.contains("/events.k8s.io/") { return .memory(201, [Gadget.json("e", version: 1)]) }
        if request.method == .get, request.path.hasSuffix("/leases") { return try watchOrList(request) }
        switch request.method {
        case .get:
            guard let lease = state.withLock({ $0.lease }) else { return .memory(404, []) }
            return try answer(lease)
        case .post, .put: return try write(request)
        default: return .memory(405, [])
        }
    }

    private func watchOrList(_ request: APIRequest) throws(APIError) -> APIResponse {
        guard mayWatch else { return .memory(403, ["may not list"]) }
        guard request.parameters["fieldSelector"] == "metadata.name=lease" else { return .memory(400, []) }
        guard request.parameters["watch"] == "true" else {
            let (lease, version) = state.withLock { ($0.lease, $0.version) }
            var items: [String] = []
            if let lease { items.append(try text(lease)) }
            return .memory(200, [Gadget.list(items, version: "\(version)")])
        }
        let (body, continuation) = AsyncStream.makeStream(of: ByteBuffer.self, bufferingPolicy: .bufferingNewest(100))
        state.withLock { state in
            // What came between the list and the watch is told by it.
            if let lease = state.lease, Int(request.parameters["resourceVersion"] ?? "") ?? 0 < state.version,
                let text = try? text(lease)
            {
                continuation.yield(ByteBuffer(string: Gadget.event("MODIFIED", text)))
            }
            state.watches.append(continuation)
        }
        return APIResponse(status: 200, body: StreamBody(body: body))
    }

    private func write(_ request: APIRequest) throws(APIError) -> APIResponse {
        let new: Lease
        do { new = try JSONDecoder().decode(Lease.self, from: Data(request.body)) } catch {
            return .memory(400, ["\(error)"])
        }
        let stored: Lease? = state.withLock { state in
            let expected = request.method == .post ? nil : new.metadata.resourceVersion
            guard state.lease?.metadata.resourceVersion == expected else { return nil }
            state.version += 1
            let stored = new.stored(as: "\(state.version)")
            state.lease = stored
            if let text = try? text(stored) {
                for watch in state.watches { watch.yield(ByteBuffer(string: Gadget.event("MODIFIED", text))) }
            }
            return stored
        }
        guard let stored else { return .memory(409, ["changed"]) }
        return try answer(stored)
    }

    private func answer(_ lease: Lease) throws(APIError) -> APIResponse {
        .memory(200, [try text(lease)])
    }

    private func text(_ lease: Lease) throws(APIError) -> String {
        do { return String(decoding: try JSONEncoder().encode(lease), as: UTF8.self) } catch {
            throw .malformed("\(error)")
        }
    }
}

/// A body that comes from a stream.
private struct StreamBody: AsyncSequence, Sendable {
    struct Iterator: AsyncIteratorProtocol {
        var base: AsyncStream<ByteBuffer>.Iterator

        mutating func next() async throws -> ByteBuffer? { try await next(isolation: nil) }

        mutating func next(isolation actor: isolated (any Actor)?) async throws(any Error) -> ByteBuffer? {
            await base.next(isolation: actor)
        }
    }

    let body: AsyncStream<ByteBuffer>

    func makeAsyncIterator() -> Iterator { Iterator(base: body.makeAsyncIterator()) }
}

extension Lease {
    /// The lease as a server keeps it.
    func stored(as version: String) -> Lease {
        var lease = self
        lease.written.resourceVersion = version
        return lease
    }
}
