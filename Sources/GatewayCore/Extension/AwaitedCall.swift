import Synchronization

/// A call in callback form that a task waits for: its continuation is resumed exactly once, by the result or by the
/// task's cancellation, whichever comes first.
final class AwaitedCall<Value: Sendable>: Sendable {
    private enum State {
        /// Nothing was asked yet. Can transition to `waiting` and `done`.
        case early
        /// With what ends the call, as soon as that is known. Can transition to `done`.
        case waiting(CheckedContinuation<Value, any Error>, (any Cancellable)?)
        /// Resumed, or to be resumed at once because the cancellation came first.
        case done(isCancelled: Bool)
    }

    private let state = Mutex(State.early)

    /// Takes the continuation; resumes it at once when the task was cancelled before.
    ///
    /// - Returns: whether the call is to begin.
    func begin(_ continuation: CheckedContinuation<Value, any Error>) -> Bool {
        let isEarly = state.withLock { state in
            guard case .early = state else { return false }
            state = .waiting(continuation, nil)
            return true
        }
        if !isEarly { continuation.resume(throwing: CancellationError()) }
        return isEarly
    }

    /// Notes what ends the call, and ends it when the task was cancelled meanwhile.
    func attach(_ call: any Cancellable) {
        let isCancelled = state.withLock { state in
            switch state {
            case .early: return false
            case .waiting(let continuation, _):
                state = .waiting(continuation, call)
                return false
            case .done(let isCancelled): return isCancelled
            }
        }
        if isCancelled { call.cancel() }
    }

    /// Resumes with `result`; one that comes after the cancellation is dropped.
    func resume(with result: Result<Value, any Error>) {
        let waiting: CheckedContinuation<Value, any Error>? = state.withLock { state in
            guard case .waiting(let continuation, _) = state else { return nil }
            state = .done(isCancelled: false)
            return continuation
        }
        waiting?.resume(with: result)
    }

    /// Resumes with a `CancellationError` and ends the call, or sees to it that ``begin(_:)`` does.
    func cancel() {
        let waiting: (CheckedContinuation<Value, any Error>, (any Cancellable)?)? = state.withLock { state in
            switch state {
            case .early:
                state = .done(isCancelled: true)
                return nil
            case .waiting(let continuation, let call):
                state = .done(isCancelled: true)
                return (continuation, call)
            case .done: return nil
            }
        }
        guard let (continuation, call) = waiting else { return }
        call?.cancel()
        continuation.resume(throwing: CancellationError())
    }
}
