public import GatewayCore
import Synchronization

/// A clock that stands still until a test moves it.
///
/// ``advance(by:)`` wakes the sleepers whose deadline has come in the order of their deadlines, and those with equal
/// deadlines in the order in which they fell asleep. ``waitForSleepers(_:)`` lets a test wait until the code under test
/// has gone to sleep, without polling. Scheduled work counts as a sleeper; it runs inside the call that moves the
/// clock.
public final class ManualClock: MonotonicClock, CallbackTimer {
    private enum Wake {
        case resume(CheckedContinuation<Void, any Error>)
        case run(@Sendable () -> Void)
    }

    private struct Sleeper {
        let id: Int
        let deadline: MonotonicInstant
        let wake: Wake
    }

    private struct Place: Cancellable {
        let clock: ManualClock
        let id: Int

        func cancel() {
            _ = clock.remove(id)
        }
    }

    private struct Watcher {
        let id: Int
        let count: Int
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var now: MonotonicInstant
        var lastID = 0
        /// Sorted by deadline, then by id.
        var sleepers: [Sleeper] = []
        var watchers: [Watcher] = []

        mutating func makeID() -> Int {
            lastID += 1
            return lastID
        }

        mutating func insert(_ sleeper: Sleeper) {
            let position = sleepers.firstIndex { $0.deadline > sleeper.deadline } ?? sleepers.endIndex
            sleepers.insert(sleeper, at: position)
        }

        mutating func takeDue() -> Sleeper? {
            guard let first = sleepers.first, first.deadline <= now else { return nil }
            return sleepers.removeFirst()
        }

        mutating func takeSatisfiedWatchers() -> [Watcher] {
            let satisfied = watchers.filter { $0.count <= sleepers.count }
            watchers.removeAll { $0.count <= sleepers.count }
            return satisfied
        }
    }

    private let state: Mutex<State>

    /// Makes a clock that shows `start`.
    public init(start: MonotonicInstant = MonotonicInstant(nanoseconds: 0)) {
        state = Mutex(State(now: start))
    }

    /// What the clock shows.
    public var now: MonotonicInstant { state.withLock { $0.now } }

    /// How many tasks are asleep on this clock, and how much work is arranged.
    public var sleeperCount: Int { state.withLock { $0.sleepers.count } }

    /// The deadline of the sleeper that is woken next; `nil` when nobody sleeps.
    public var nextDeadline: MonotonicInstant? { state.withLock { $0.sleepers.first?.deadline } }

    /// Moves the clock forward by `duration` and wakes everyone whose deadline has come. A negative duration moves
    /// nothing.
    public func advance(by duration: Duration) {
        advance(to: now.advanced(by: duration))
    }

    /// Moves the clock forward to `instant` and wakes everyone whose deadline has come, also those who come meanwhile.
    /// An earlier instant moves nothing.
    public func advance(to instant: MonotonicInstant) {
        state.withLock { $0.now = max($0.now, instant) }
        while let sleeper = state.withLock({ $0.takeDue() }) {
            switch sleeper.wake {
            case .resume(let continuation): continuation.resume()
            case .run(let work): work()
            }
        }
    }

    /// Arranges `work` for the call that moves the clock to `instant`; for the next one, when that has passed.
    public func schedule(at instant: MonotonicInstant, _ work: @escaping @Sendable () -> Void) -> any Cancellable {
        let (id, watchers) = state.withLock { state in
            let id = state.makeID()
            state.insert(Sleeper(id: id, deadline: instant, wake: .run(work)))
            return (id, state.takeSatisfiedWatchers())
        }
        for watcher in watchers { watcher.continuation.resume() }
        return Place(clock: self, id: id)
    }

    /// Waits until a test moves the clock to `deadline` or beyond; returns at once when it is there already.
    public func sleep(until deadline: MonotonicInstant) async throws {
        let id = state.withLock { $0.makeID() }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                fallAsleep(id, deadline, continuation)
            }
        } onCancel: {
            guard case .resume(let continuation) = remove(id)?.wake else { return }
            continuation.resume(throwing: CancellationError())
        }
    }

    /// Returns as soon as at least `count` tasks sleep on this clock or work is arranged; at once when they already do.
    ///
    /// - Throws: `CancellationError` when the task is cancelled first.
    public func waitForSleepers(_ count: Int) async throws {
        let id = state.withLock { $0.makeID() }
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

    private func remove(_ id: Int) -> Sleeper? {
        state.withLock { state in
            state.sleepers.firstIndex { $0.id == id }.map { state.sleepers.remove(at: $0) }
        }
    }

    private func fallAsleep(
        _ id: Int,
        _ deadline: MonotonicInstant,
        _ continuation: CheckedContinuation<Void, any Error>
    ) {
        enum Action {
            case wake
            case cancel
            case tell([Watcher])
        }
        // The cancellation is looked at under the lock: a handler that ran before found no sleeper to remove, and one
        // that runs later will find it.
        let action: Action = state.withLock { state in
            if Task.isCancelled { return .cancel }
            if deadline <= state.now { return .wake }
            state.insert(Sleeper(id: id, deadline: deadline, wake: .resume(continuation)))
            return .tell(state.takeSatisfiedWatchers())
        }
        switch action {
        case .wake: continuation.resume()
        case .cancel: continuation.resume(throwing: CancellationError())
        case .tell(let watchers): for watcher in watchers { watcher.continuation.resume() }
        }
    }

    private func watch(_ watcher: Watcher) {
        enum Action {
            case wait
            case resume
            case cancel
        }
        let action: Action = state.withLock { state in
            if Task.isCancelled { return .cancel }
            if watcher.count <= state.sleepers.count { return .resume }
            state.watchers.append(watcher)
            return .wait
        }
        switch action {
        case .wait: break
        case .resume: watcher.continuation.resume()
        case .cancel: watcher.continuation.resume(throwing: CancellationError())
        }
    }
}
