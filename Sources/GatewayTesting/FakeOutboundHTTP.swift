public import GatewayCore
import Synchronization

/// Answers outbound requests from a function, and remembers them.
///
/// The function may wait, as ``delayed(by:on:_:)`` does, to play a slow endpoint, and may throw an `OutboundFailure`.
/// It can be replaced while requests are running; those keep the function that they began with.
public final class FakeOutboundHTTP: OutboundHTTP {
    /// Answers one request.
    public typealias Answer = @Sendable (OutboundRequest) async throws -> OutboundResponse

    private struct Watcher {
        let id: Int
        let count: Int
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var answer: Answer
        var requests: [OutboundRequest] = []
        var watchers: [Watcher] = []
        var lastID = 0

        mutating func takeSatisfiedWatchers() -> [Watcher] {
            let satisfied = watchers.filter { $0.count <= requests.count }
            watchers.removeAll { $0.count <= requests.count }
            return satisfied
        }
    }

    private let state: Mutex<State>

    /// Makes a fake that answers with `answer`.
    public init(_ answer: @escaping Answer) {
        state = Mutex(State(answer: answer))
    }

    /// An answer that comes `delay` later by `clock`.
    public static func delayed(
        by delay: Duration,
        on clock: ManualClock,
        _ answer: @escaping Answer
    ) -> Answer {
        { request in
            try await clock.sleep(until: clock.now.advanced(by: delay))
            return try await answer(request)
        }
    }

    /// All requests so far, in the order in which they began.
    public var requests: [OutboundRequest] { state.withLock { $0.requests } }

    /// Answers requests that begin from now on with `answer`.
    public func answer(with answer: @escaping Answer) {
        state.withLock { $0.answer = answer }
    }

    /// Returns as soon as at least `count` requests have begun; at once when they already have.
    ///
    /// - Throws: `CancellationError` when the task is cancelled first.
    public func waitForRequests(_ count: Int) async throws {
        let id = state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                watch(Watcher(id: id, count: count, continuation: continuation))
            }
        } onCancel: {
            let watcher = state.withLock { state in
                state.watchers.firstIndex { $0.id == id }.map { state.watchers.remove(at: $0) }
            }
            watcher?.continuation.resume(throwing: CancellationError())
        }
    }

    /// Remembers `request` and gives what the function answers.
    public func get(_ request: OutboundRequest) async throws -> OutboundResponse {
        let (answer, watchers) = state.withLock { state in
            state.requests.append(request)
            return (state.answer, state.takeSatisfiedWatchers())
        }
        for watcher in watchers { watcher.continuation.resume() }
        return try await answer(request)
    }

    private func watch(_ watcher: Watcher) {
        // The cancellation is looked at under the lock: a handler that ran before found nothing to remove.
        let result: Result<Void, any Error>? = state.withLock { state in
            if Task.isCancelled { return .failure(CancellationError()) }
            if watcher.count <= state.requests.count { return .success(()) }
            state.watchers.append(watcher)
            return nil
        }
        if let result { watcher.continuation.resume(with: result) }
    }
}

extension OutboundResponse {
    /// A response whose body is the UTF-8 of `text`.
    public static func text(_ text: String, status: Int = 200) -> OutboundResponse {
        OutboundResponse(status: status, body: ArrayBody(Array(text.utf8)))
    }
}
