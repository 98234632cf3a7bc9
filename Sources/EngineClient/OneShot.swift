import Synchronization

/// A continuation that is resumed exactly once by whoever comes first: the result, or the task's cancellation.
final class OneShot<Value: Sendable>: Sendable {
    private enum State {
        /// Can transition to `waiting` and `done`.
        case early
        /// Can transition to `done`.
        case waiting(CheckedContinuation<Value, any Error>)
        /// Resumed, or to be resumed at once because the cancellation came first.
        case done
    }

    private let state = Mutex(State.early)

    /// Takes the continuation; resumes it at once when the task was cancelled before.
    ///
    /// - Returns: whether the work is to begin.
    func begin(_ continuation: CheckedContinuation<Value, any Error>) -> Bool {
        let isEarly = state.withLock { state in
            guard case .early = state else { return false }
            state = .waiting(continuation)
            return true
        }
        if !isEarly { continuation.resume(throwing: CancellationError()) }
        return isEarly
    }

    /// Resumes with `result`.
    ///
    /// - Returns: whether this was the first result; another one is dropped.
    @discardableResult
    func resume(with result: Result<Value, any Error>) -> Bool {
        let waiting: CheckedContinuation<Value, any Error>? = state.withLock { state in
            guard case .waiting(let continuation) = state else { return nil }
            state = .done
            return continuation
        }
        waiting?.resume(with: result)
        return waiting != nil
    }

    /// Resumes with a `CancellationError`, or sees to it that ``begin(_:)`` will.
    ///
    /// - Returns: whether something that had begun was ended by this.
    @discardableResult
    func cancel() -> Bool {
        let waiting: CheckedContinuation<Value, any Error>? = state.withLock { state in
            defer { state = .done }
            guard case .waiting(let continuation) = state else { return nil }
            return continuation
        }
        waiting?.resume(throwing: CancellationError())
        return waiting != nil
    }
}
