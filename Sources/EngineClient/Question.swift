import GatewayCore
import NIOCore
import Synchronization

/// One question of a caller, on whichever connections it takes to get an answer. Ends once.
final class Question: Cancellable {
    private struct State {
        var isOver = false
        /// What carries the question now.
        var connection: EngineConnection?
    }

    let client: EngineHTTPClient
    let request: OutboundRequest
    let deadline: NIODeadline
    private let completion: @Sendable (Result<OutboundResponse, OutboundFailure>) -> Void
    private let state = Mutex(State())

    init(
        _ request: OutboundRequest,
        client: EngineHTTPClient,
        completion: @escaping @Sendable (Result<OutboundResponse, OutboundFailure>) -> Void
    ) {
        self.client = client
        self.request = request
        deadline = .now() + .nanoseconds(request.timeout.wholeNanoseconds)
        self.completion = completion
    }

    var isOver: Bool { state.withLock { $0.isOver } }

    /// Notes what carries the question now.
    ///
    /// - Returns: whether it goes on; if not, it was called off, and the connection is the caller's to close.
    func move(to connection: EngineConnection) -> Bool {
        state.withLock { state in
            if state.isOver { return false }
            state.connection = connection
            return true
        }
    }

    /// Tells the caller, unless the question was called off or has ended.
    func finish(_ result: Result<OutboundResponse, OutboundFailure>) {
        let isFirst = state.withLock { state in
            defer { state = State(isOver: true) }
            return !state.isOver
        }
        if isFirst { completion(result) }
    }

    func cancel() {
        let connection = state.withLock { state in
            defer { state = State(isOver: true) }
            return state.connection
        }
        connection?.close()
    }
}
