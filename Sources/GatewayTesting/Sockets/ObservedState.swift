import GatewayCore
import NIOCore
import NIOPosix
import Synchronization

/// A value that one side changes and a test waits for, without polling.
///
/// Safe from any thread. A wait that is not satisfied in its time throws, so that a test that would hang fails instead.
package final class ObservedState<State: Sendable>: Sendable {
    private struct Waiter {
        let id: Int
        let isSatisfied: @Sendable (State) -> Bool
        let continuation: CheckedContinuation<State, any Error>
    }

    private struct Guarded {
        var state: State
        var waiters: [Waiter] = []
        var lastID = 0
    }

    private let guarded: Mutex<Guarded>

    /// Starts with `state`.
    package init(_ state: State) {
        guarded = Mutex(Guarded(state: state))
    }

    /// The present value.
    package var value: State { guarded.withLock { $0.state } }

    /// Changes the value and wakes those whose condition holds now.
    package func update(_ change: (inout State) -> Void) {
        // The value leaves the lock only with somebody who takes it: a copy that is held makes the next change copy
        // all.
        let woken: [(waiter: Waiter, state: State)] = guarded.withLock { guarded in
            change(&guarded.state)
            let woken = guarded.waiters.filter { $0.isSatisfied(guarded.state) }
            guarded.waiters.removeAll { waiter in woken.contains { $0.id == waiter.id } }
            return woken.map { ($0, guarded.state) }
        }
        for (waiter, state) in woken { waiter.continuation.resume(returning: state) }
    }

    /// Waits until `isSatisfied` accepts the value, and returns it.
    ///
    /// - Parameters:
    ///   - what: what is waited for, for the error.
    ///   - timeout: the longest wait. Default 10 s.
    /// - Throws: ``WaitTimedOut``.
    @discardableResult
    package func wait(
        for what: String,
        timeout: Duration = .seconds(10),
        until isSatisfied: @escaping @Sendable (State) -> Bool
    ) async throws -> State {
        let id = guarded.withLock { guarded in
            guarded.lastID += 1
            return guarded.lastID
        }
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let timer = loop.scheduleTask(in: .nanoseconds(timeout.wholeNanoseconds)) { self.timeOut(id, what) }
        defer { timer.cancel() }
        return try await withCheckedThrowingContinuation { continuation in
            let present: State? = guarded.withLock { guarded in
                if isSatisfied(guarded.state) { return guarded.state }
                guarded.waiters.append(Waiter(id: id, isSatisfied: isSatisfied, continuation: continuation))
                return nil
            }
            if let present { continuation.resume(returning: present) }
        }
    }

    private func timeOut(_ id: Int, _ what: String) {
        let (waiter, state) = guarded.withLock { guarded in
            let index = guarded.waiters.firstIndex { $0.id == id }
            return (index.map { guarded.waiters.remove(at: $0) }, guarded.state)
        }
        waiter?.continuation.resume(throwing: WaitTimedOut(what: what, state: String(describing: state)))
    }
}

/// What a test waited for did not happen in time.
package struct WaitTimedOut: Error, CustomStringConvertible {
    /// What was waited for.
    package let what: String
    /// The value at the end of the wait.
    package let state: String

    package var description: String { "timed out while waiting for \(what); the state is \(state.prefix(2000))" }
}

/// A gate that is closed until a test opens it, and open from then on. Safe from any thread.
package final class ScriptedGate: Sendable {
    private struct Guarded {
        var isOpen = false
        var waiting: [@Sendable () -> Void] = []
    }

    private let guarded = Mutex(Guarded())

    /// Makes a closed gate.
    package init() {}

    /// Opens the gate; those who wait go on, on this thread.
    package func open() {
        let waiting = guarded.withLock { guarded in
            guarded.isOpen = true
            defer { guarded.waiting = [] }
            return guarded.waiting
        }
        for action in waiting { action() }
    }

    /// Calls `action` once the gate is open; at once when it is.
    package func whenOpen(_ action: @escaping @Sendable () -> Void) {
        let isOpen = guarded.withLock { guarded in
            if !guarded.isOpen { guarded.waiting.append(action) }
            return guarded.isOpen
        }
        if isOpen { action() }
    }
}
