import GatewayCore
import Synchronization

/// Which endpoint each session is bound to. Shared by the plugins that keep the same sessions; safe from any thread.
final class SessionBindings: Sendable {
    /// The most sessions that are kept; one more drops the one that was seen the longest ago.
    static let maxCount = 100_000

    private let table: Mutex<SessionBindingTable>

    /// Makes an empty record; see ``SessionBindingTable/init(timeToLive:sweepInterval:maxCount:)``.
    init(timeToLive: Double, sweepInterval: Double, maxCount: Int = SessionBindings.maxCount) {
        table = Mutex(
            SessionBindingTable(timeToLive: timeToLive, sweepInterval: sweepInterval, maxCount: maxCount)
        )
    }

    /// The endpoint that `session` is bound to at `now`; `nil` when it is bound to none. Does not count as use.
    func endpoint(of session: String, at now: MonotonicInstant) -> EndpointID? {
        table.withLock { $0.endpoint(of: session, at: now) }
    }

    /// Notes that a request of `session` goes to `endpoint`: binds the session when it is not bound, or bound to
    /// `replaceable`, and keeps its binding fresh when it is bound there already.
    ///
    /// - Returns: whether the session was bound by this call.
    func bind(
        _ session: String,
        to endpoint: EndpointSnapshot,
        replacing replaceable: EndpointID?,
        at now: MonotonicInstant
    ) -> Bool {
        table.withLock { $0.bind(session, to: endpoint, replacing: replaceable, at: now) }
    }

    /// Ends the bindings to `endpoint`, which left.
    func forget(_ endpoint: EndpointSnapshot) {
        table.withLock { $0.forget(endpoint) }
    }

    /// The sessions that take up room, with those that expired and were not swept yet.
    var count: Int { table.withLock { $0.count } }
}

/// The state of ``SessionBindings``: a dictionary, and a list in the order of use through its entries.
///
/// Every step takes a constant number of operations; what expired is swept a few at a time, so no request waits for
/// the whole table.
struct SessionBindingTable: ~Copyable {
    private struct Binding {
        var session: String
        var endpoint: EndpointID
        var life: EndpointLife
        var lastSeen: MonotonicInstant
        /// The places of the bindings that were seen next before and next after; -1 at the ends of the list.
        var older = -1
        var newer = -1
    }

    /// The most bindings that one step sweeps.
    private static let maxSwept = 64

    private let timeToLive: Double
    private let sweepInterval: Double
    private let maxCount: Int

    private var places: [String: Int] = [:]
    private var bindings: [Binding] = []
    /// Places in `bindings` that hold none.
    private var free: [Int] = []
    private var oldest = -1
    private var newest = -1
    /// By slot: the last incarnation that left. Bindings to it or an earlier one count as gone. There is one entry for
    /// each slot at most, and slots are used again.
    private var departed: [Int: Int] = [:]
    /// The latest instant that anybody told: requests tell theirs out of order.
    private var now: MonotonicInstant?
    private var sweptAt: MonotonicInstant?

    /// Makes an empty table.
    ///
    /// - Parameters:
    ///   - timeToLive: the seconds after its last use in which a binding holds.
    ///   - sweepInterval: the seconds between two sweeps of what expired.
    ///   - maxCount: the most bindings, at least 1.
    init(timeToLive: Double, sweepInterval: Double, maxCount: Int) {
        self.timeToLive = timeToLive
        self.sweepInterval = sweepInterval
        self.maxCount = maxCount
    }

    /// See ``SessionBindings/count``.
    var count: Int { places.count }

    /// See ``SessionBindings/endpoint(of:at:)``.
    mutating func endpoint(of session: String, at now: MonotonicInstant) -> EndpointID? {
        advance(to: now)
        return place(of: session).map { bindings[$0].endpoint }
    }

    /// See ``SessionBindings/bind(_:to:replacing:at:)``.
    mutating func bind(
        _ session: String,
        to endpoint: EndpointSnapshot,
        replacing replaceable: EndpointID?,
        at now: MonotonicInstant
    ) -> Bool {
        let now = advance(to: now)
        if let place = place(of: session) {
            let isSame = bindings[place].endpoint == endpoint.id
            guard isSame || bindings[place].endpoint == replaceable else { return false }
            remove(at: place)
            insert(session, endpoint, lastSeen: now)
            return !isSame
        }
        if places.count >= maxCount { remove(at: oldest) }
        insert(session, endpoint, lastSeen: now)
        return true
    }

    /// See ``SessionBindings/forget(_:)``.
    mutating func forget(_ endpoint: EndpointSnapshot) {
        departed[endpoint.slot] = max(departed[endpoint.slot] ?? .min, endpoint.incarnation)
    }

    // MARK: - Time

    @discardableResult
    private mutating func advance(to told: MonotonicInstant) -> MonotonicInstant {
        let now = max(self.now ?? told, told)
        self.now = now
        if let sweptAt, now.seconds(since: sweptAt) < sweepInterval { return now }
        var isWhole = false
        for _ in 0..<Self.maxSwept {
            guard oldest >= 0, hasExpired(oldest) else {
                isWhole = true
                break
            }
            remove(at: oldest)
        }
        if isWhole { sweptAt = now }
        return now
    }

    private func hasExpired(_ place: Int) -> Bool {
        guard let now else { return false }
        return now.seconds(since: bindings[place].lastSeen) > timeToLive
    }

    // MARK: - The list

    /// Where the binding of `session` is. One that no longer holds is removed instead.
    private mutating func place(of session: String) -> Int? {
        guard let place = places[session] else { return nil }
        let isGone = bindings[place].life.incarnation <= departed[bindings[place].life.slot] ?? .min
        guard isGone || hasExpired(place) else { return place }
        remove(at: place)
        return nil
    }

    private mutating func insert(_ session: String, _ endpoint: EndpointSnapshot, lastSeen: MonotonicInstant) {
        let binding = Binding(
            session: session,
            endpoint: endpoint.id,
            life: EndpointLife(endpoint),
            lastSeen: lastSeen,
            older: newest
        )
        let place: Int
        if let reused = free.popLast() {
            place = reused
            bindings[place] = binding
        } else {
            place = bindings.count
            bindings.append(binding)
        }
        if newest >= 0 { bindings[newest].newer = place } else { oldest = place }
        newest = place
        places[session] = place
    }

    private mutating func remove(at place: Int) {
        let (older, newer) = (bindings[place].older, bindings[place].newer)
        if older >= 0 { bindings[older].newer = newer } else { oldest = newer }
        if newer >= 0 { bindings[newer].older = older } else { newest = older }
        places[bindings[place].session] = nil
        // The text goes with its session.
        bindings[place].session = ""
        free.append(place)
    }
}
