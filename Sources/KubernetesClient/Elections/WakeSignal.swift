import Synchronization

/// Wakes one task that waits for something to change. Signals that come before it waits count as one.
final class WakeSignal: Sendable {
    private struct State {
        var isRaised = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// Wakes the waiter, now or as soon as it waits.
    func raise() {
        let waiter = state.withLock { state in
            guard let waiter = state.waiter.take() else {
                state.isRaised = true
                return CheckedContinuation<Void, Never>?.none
            }
            return waiter
        }
        waiter?.resume()
    }

    /// Returns after the next signal, or when the task is cancelled. Only one task may wait.
    func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDone = state.withLock { state in
                    if state.isRaised || Task.isCancelled {
                        state.isRaised = false
                        return true
                    }
                    state.waiter = continuation
                    return false
                }
                if isDone { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiter.take() }?.resume()
        }
    }

    /// Returns after the next signal or after `duration`; `nil` has no end.
    func wait(atMost duration: Duration?, by clock: any Clock<Duration>) async {
        guard let duration else { return await wait() }
        guard duration > .zero else { return }
        await withTaskGroup { group in
            group.addTask { await self.wait() }
            group.addTask { try? await clock.sleep(for: duration) }
            await group.next()
            group.cancelAll()
        }
    }
}
