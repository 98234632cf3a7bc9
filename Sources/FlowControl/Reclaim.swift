import GatewayCore

/// Names a request that runs and may be ended.
package struct RunningID: Hashable, Comparable, Sendable {
    let number: UInt64

    package static func < (left: RunningID, right: RunningID) -> Bool { left.number < right.number }
}

/// Ends running requests of low priority when a more important one finds the pool full.
///
/// One decision at a time: a request that was told to end is waited for, and after it the pool is given the time to
/// show the room that it left.
struct Reclaim {
    /// The most requests that one decision ends.
    private static let mostVictims = 2
    /// After this long a request counts as ended that was told to.
    static let confirmationTimeout = Duration.seconds(10)

    private let policies: [any EvictionPolicy]
    /// How long a decision waits after the last one's requests ended.
    private let grace: Duration
    private var running: [RunningID: RunningRequest] = [:]
    private var lastNumber: UInt64 = 0
    /// How many more requests the present decision may end.
    private var left = 0
    /// Requests that were told to end, and when.
    private(set) var issued: [RunningID: MonotonicInstant] = [:]
    private(set) var coolsUntil: MonotonicInstant?

    init(policies: [any EvictionPolicy], grace: Duration) {
        self.policies = policies
        self.grace = grace
    }

    /// A request runs.
    ///
    /// - Returns: its name; `nil` when it may not be ended.
    mutating func began(_ request: RunningRequest) -> RunningID? {
        guard policies.allSatisfy({ $0.mayEvict(request) }) else { return nil }
        lastNumber += 1
        let id = RunningID(number: lastNumber)
        running[id] = request
        return id
    }

    /// A request ended, by itself or because it was told to.
    ///
    /// - Returns: how long that took, when it was told to.
    mutating func ended(_ id: RunningID, at now: MonotonicInstant) -> Duration? {
        running[id] = nil
        guard let since = issued.removeValue(forKey: id) else { return nil }
        coolDown(at: now)
        return now.since(since)
    }

    /// When something is to be looked at again; `nil` for never.
    var nextWake: MonotonicInstant? {
        issued.values.min().map { $0.advanced(by: Self.confirmationTimeout) } ?? coolsUntil
    }

    /// Gives up waiting for requests that were told to end too long ago.
    ///
    /// - Returns: how many.
    mutating func giveUp(at now: MonotonicInstant) -> Int {
        guard !issued.isEmpty else { return 0 }
        let late = issued.filter { now.since($0.value) >= Self.confirmationTimeout }
        for id in late.keys {
            issued[id] = nil
            running[id] = nil
        }
        if !late.isEmpty { coolDown(at: now) }
        return late.count
    }

    /// Who is to be ended so that requests of `priority` find room; nobody while the last decision has not had its
    /// effect. A decision ends up to two requests, one with each call.
    ///
    /// - Parameters:
    ///   - priority: the priority that waits.
    ///   - excess: by how much the saturation is above what the priority may use, 0 or more.
    ///   - saturation: the pool's.
    ///   - inFlight: the requests that run.
    ///   - now: the present.
    mutating func victim(
        for priority: Int,
        excess: Double,
        saturation: Double,
        inFlight: Int,
        at now: MonotonicInstant
    ) -> RunningID? {
        if issued.isEmpty {
            guard coolsUntil.map({ now >= $0 }) ?? true else { return nil }
            coolsUntil = nil
            // What one request less relieves the pool of.
            let relief = saturation / Double(max(1, inFlight))
            let wanted = relief > 0 ? (excess / relief).rounded(.up) : 1
            left = Int(min(Double(Self.mostVictims), max(1, wanted)))
        }
        guard left > 0, let victim = first(below: priority) else { return nil }
        left -= 1
        issued[victim] = now
        return victim
    }

    private func first(below priority: Int) -> RunningID? {
        var best: (id: RunningID, request: RunningRequest)?
        for (id, request) in running where request.priority < priority && issued[id] == nil {
            if let present = best, !precedes((id, request), present) { continue }
            best = (id, request)
        }
        return best?.id
    }

    private func precedes(
        _ left: (id: RunningID, request: RunningRequest),
        _ right: (id: RunningID, request: RunningRequest)
    ) -> Bool {
        for policy in policies {
            if let answer = policy.evicts(left.request, before: right.request) { return answer }
        }
        return left.id < right.id
    }

    private mutating func coolDown(at now: MonotonicInstant) {
        if issued.isEmpty { coolsUntil = now.advanced(by: grace) }
    }
}
