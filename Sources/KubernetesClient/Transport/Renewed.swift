import Synchronization

/// Something that grows old, obtained anew when that is due, by one task at a time; the others wait for it.
final class Renewed<Value: Sendable>: Sendable {
    /// What an attempt gave.
    struct Obtained: Sendable {
        let value: Value
        /// How long it is not replaced; `nil` for ever.
        var freshFor: Duration?
        /// How long it can be used; `nil` for ever.
        var validFor: Duration?
    }

    typealias Held = RenewalState<Value>.Held

    private let state: Mutex<RenewalState<Value>>
    private let gate = SerialGate()
    private let now: @Sendable () -> ContinuousClock.Instant
    private let obtain: @Sendable () async throws(APIError) -> Obtained
    private let onStale: @Sendable (APIError) -> Void

    /// Obtains nothing yet.
    ///
    /// - Parameters:
    ///   - pace: how often things are done.
    ///   - now: the time.
    ///   - onStale: told when a value stays in use because no new one can be obtained.
    ///   - obtain: gives a new value.
    init(
        pace: RenewalState<Value>.Pace = RenewalState<Value>.Pace(),
        now: @escaping @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now },
        onStale: @escaping @Sendable (APIError) -> Void,
        obtain: @escaping @Sendable () async throws(APIError) -> Obtained
    ) {
        state = Mutex(RenewalState(pace: pace))
        self.now = now
        self.onStale = onStale
        self.obtain = obtain
    }

    /// The value, a new one if one is due.
    ///
    /// - Throws: why there is none; ``APIError/unreachable(_:)`` when the task is cancelled while it waits.
    func current() async throws(APIError) -> Held {
        if let held = try heldNow() { return held }
        do { try await gate.enter() } catch { throw Self.cancelled }
        defer { gate.leave() }
        // The task before this one may have done it.
        if let held = try heldNow() { return held }
        do {
            let obtained = try await obtain()
            let instant = now()
            return state.withLock { state in
                state.obtained(
                    obtained.value, at: instant,
                    renewAt: obtained.freshFor.map { instant + $0 },
                    expiresAt: obtained.validFor.map { instant + $0 }
                )
            }
        } catch {
            return try stale(error)
        }
    }

    /// Tells that the server did not take a value.
    func refuse(_ generation: Int) {
        let instant = now()
        state.withLock { $0.refused(generation, at: instant) }
    }

    private static var cancelled: APIError {
        .unreachable("The request was cancelled while it waited for credentials.")
    }

    private func heldNow() throws(APIError) -> Held? {
        let instant = now()
        switch state.withLock({ $0.next(at: instant) }) {
        case .use(let held): return held
        case .fail(let error): throw error
        case .renew: return nil
        }
    }

    private func stale(_ error: APIError) throws(APIError) -> Held {
        // The task that waits behind this one tries for itself.
        guard !Task.isCancelled else { throw Self.cancelled }
        let instant = now()
        let decision = state.withLock { state in
            state.failed(error, at: instant)
            return state.fallback(at: instant, error)
        }
        guard case .use(let held) = decision else { throw error }
        onStale(error)
        return held
    }
}
