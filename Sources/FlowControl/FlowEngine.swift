import DequeModule
package import GatewayCore

/// Decides which of the requests that came may go on, in which order, and which are refused.
///
/// A state machine: what happens is told to it with the time at which it happens, and ``next(at:room:)`` says what is
/// to be done, one action at a time, until there is nothing. It has no clock, no timer and no thread.
package struct FlowEngine {
    /// What is to be done.
    package enum Action: Hashable, Sendable {
        /// The request waits no more: it goes on, or it is refused. Its reserved place is given back by
        /// ``FlowEngine/settled(_:)``.
        case end(WaitingID, FlowOutcome)
        /// The running request is to be ended for a more important one.
        case evict(RunningID)
    }

    /// What becomes of a request that comes.
    package enum Arrival: Hashable, Sendable {
        /// It waits.
        case waits(WaitingID)
        /// It may not wait.
        case refused(FlowOutcome)
    }

    /// What a request that was let go still owes.
    package struct Grant: Hashable, Sendable {
        let band: Int
        let flow: Int
        /// What it counts in the pool until it has an endpoint.
        let uncachedTokens: Int
        /// What its flow was charged for it.
        let charged: Double
    }

    /// The most constraints that one look at the queues evaluates beside that of the whole pool.
    private static let mostBlockedConstraints = 64
    /// Fewer arrivals than this are not worth a sweep.
    private static let fewestArrivalsToSweep = 64
    /// How soon the queues are looked at again that a ceiling below a full pool keeps from going.
    private static let lookInterval = Duration.milliseconds(10)
    /// How often flows and bands that are not needed are forgotten.
    private static let sweepInterval = Duration.seconds(60)

    let settings: FlowControlSettings
    /// By number; `nil` for a number that is free.
    private(set) var bands: [PriorityBand?] = []
    /// How many requests wait in each band, by its number: reading that from the band would copy it.
    private var waitingByBand: [Int] = []
    /// The numbers of the bands, highest priority first.
    private(set) var order: [Int] = []
    /// The priorities of ``order``.
    private(set) var priorities: [Int] = []
    private var wantedPriorities: Set<Int>
    private(set) var table = WaitingTable()
    private var constraints = ConstraintTable()
    /// Those that wait, as they came; those that went since are passed over.
    private(set) var arrivals = Deque<(id: WaitingID, at: MonotonicInstant)>()
    private var grants: [WaitingID: Grant] = [:]
    private var lastNumber: UInt64 = 0
    private(set) var bytes = 0
    /// Requests that were let go and have no endpoint yet, and their tokens.
    private(set) var reserved = (requests: 0, tokens: 0)
    /// Requests that were let go and have not ended.
    private(set) var running = 0
    private(set) var isPoolEmpty = false
    private var regimeSince = MonotonicInstant(nanoseconds: .min)
    private var cycle: UInt64 = 0
    /// What lower priorities have coming, in dispatches.
    private var trickle = 0.0
    /// When the queues are looked at again because the ceilings change from look to look.
    private var nextLook: MonotonicInstant?
    private var drainRate = DrainRate()
    private(set) var reclaim: Reclaim?
    private var nextSweep: MonotonicInstant?
    private(set) var isShutDown = false
    /// The names of flows that were forgotten and not yet asked for.
    private var forgotten: [ForgottenFlow] = []

    /// Makes an engine without requests.
    ///
    /// - Parameters:
    ///   - settings: the configuration.
    ///   - evictionGrace: how long the pool takes to show the room that an evicted request left.
    package init(settings: FlowControlSettings, evictionGrace: Duration = .milliseconds(10)) {
        self.settings = settings
        wantedPriorities = []
        reclaim = settings.eviction.map { Reclaim(policies: $0, grace: evictionGrace) }
        setPriorities([])
    }

    // MARK: - What there is

    /// How many requests wait.
    package var waitingCount: Int { table.count }

    /// When ``next(at:room:)`` has something to do by the time alone; `nil` for never.
    package var nextWake: MonotonicInstant? {
        guard table.count > 0 else { return nil }
        return Self.earlier(Self.earlier(nextExpiry, reclaim?.nextWake), nextLook)
    }

    private static func earlier(_ left: MonotonicInstant?, _ right: MonotonicInstant?) -> MonotonicInstant? {
        guard let left, let right else { return left ?? right }
        return min(left, right)
    }

    /// In how many seconds a request of `priority` that is refused now may find the queue drained: at least 1, at most
    /// 60.
    package mutating func retryAfterSeconds(priority: Int, at now: MonotonicInstant) -> Int {
        let ahead = zip(order, priorities).reduce(0) { $1.1 >= priority ? $0 + waitingByBand[$1.0] : $0 }
        let rate = drainRate.rate(at: now)
        guard rate > 0 else { return 60 }
        return Int(min(60, max(1, (Double(ahead + 1) / rate).rounded(.up))))
    }

    /// The bands that must exist: those of the configuration, 0 and `priorities`. Others go when they are idle.
    package mutating func setPriorities(_ priorities: Set<Int>) {
        wantedPriorities = priorities.union(settings.bands.keys).union([0])
        let present = Set(self.priorities)
        for priority in wantedPriorities.subtracting(present).sorted() { addBand(priority) }
        removeUnwantedBands()
    }

    // MARK: - Requests come and go

    /// A request comes.
    ///
    /// - Parameters:
    ///   - request: the request. A priority without a band counts as 0.
    ///   - constraint: where it may go.
    ///   - now: the present.
    ///   - room: the room of the pool; asked only when the queue is full.
    /// - Returns: its name among those that wait, or why it may not wait.
    package mutating func enqueue(
        _ request: QueuedRequest,
        constraint: RequestConstraint,
        at now: MonotonicInstant,
        room: () -> PoolRoom
    ) -> Arrival {
        sweep(at: now)
        if isShutDown { return .refused(.rejectedShuttingDown) }
        let index = bandIndex(of: request.request.priority)
        guard hasCapacity(for: request.byteCount, band: index) else {
            return .refused(room().isEmpty ? .rejectedNoEndpoints : .rejectedCapacity)
        }
        guard var band = bands[index].take() else { return .refused(.rejectedCapacity) }
        defer { bands[index] = band }
        let entry = WaitingTable.Entry(
            request: request,
            band: index,
            flow: band.flow(request.request.fairnessID),
            constraint: constraints.enter(constraint)
        )
        let id = table.insert(entry)
        lastNumber += 1
        let node = FlowQueue.Node(
            rank: band.settings.ordering.rank(of: request),
            number: lastNumber,
            id: id,
            enqueuedAt: request.enqueuedAt,
            uncachedTokens: request.uncachedTokens
        )
        band.insert(node, entry)
        waitingByBand[index] += 1
        bytes += request.byteCount
        arrivals.append((id, request.enqueuedAt))
        if arrivals.count > Self.fewestArrivalsToSweep + 2 * table.count {
            // Behind one that waits long, those that went would pile up.
            arrivals.removeAll { !table.isWaiting($0.id) }
        }
        return .waits(id)
    }

    /// A request that waits is not wanted any more.
    ///
    /// - Returns: whether it waited.
    package mutating func cancel(_ id: WaitingID, at now: MonotonicInstant) -> Bool {
        remove(id, at: now) != nil
    }

    /// What is to be done next; `nil` when there is nothing until something else happens.
    ///
    /// - Parameters:
    ///   - now: the present.
    ///   - room: the room of the endpoints that a constraint leaves, with work counted that has not reached them.
    package mutating func next(
        at now: MonotonicInstant,
        room: (RequestConstraint, PendingLoad) -> PoolRoom
    ) -> Action? {
        guard table.count > 0 else { return nil }
        if isShutDown { return popArrival().map { .end($0, .evictedShuttingDown) } }
        let pending = PendingLoad(requests: Double(reserved.requests), tokens: Double(reserved.tokens))
        let pool = room(.none, pending)
        if pool.isEmpty != isPoolEmpty {
            isPoolEmpty = pool.isEmpty
            regimeSince = now
        }
        if let expired = popExpired(at: now) {
            return .end(expired, pool.isEmpty ? .evictedNoEndpoints : .evictedTTL)
        }
        nextLook = nil
        guard !pool.isEmpty else { return nil }
        let look = look(at: pool, now: now) { room($0, pending) }
        if let id = look.chosen { return dispatch(id, at: now) }
        if pool.saturation < 1, settings.usageLimit.uniformCeiling == nil {
            nextLook = now.advanced(by: Self.lookInterval)
        }
        return evict(for: look, pool, at: now)
    }

    /// The request called `id`, which ``next(at:room:)`` let go, has an endpoint or was refused without one: its place
    /// is counted there from now on, or nowhere.
    ///
    /// - Returns: what it owes until its end; `nil` when it was not let go, or this was told before.
    package mutating func settled(_ id: WaitingID) -> Grant? {
        guard let grant = grants.removeValue(forKey: id) else { return nil }
        reserved.requests -= 1
        reserved.tokens -= grant.uncachedTokens
        return grant
    }

    /// A request that was let go runs now.
    ///
    /// - Returns: its name among those that may be ended; `nil` when it may not.
    package mutating func began(_ request: RunningRequest) -> RunningID? {
        reclaim?.began(request)
    }

    /// A request that was let go ended. Exactly once for each grant.
    ///
    /// - Returns: how long it took since it was told to end, if it was.
    package mutating func ended(
        _ grant: Grant,
        running id: RunningID?,
        usage: TokenUsage?,
        at now: MonotonicInstant
    ) -> Duration? {
        running -= 1
        bands[grant.band]?.ended(grant.flow, charged: grant.charged, usage: usage, at: now)
        return id.flatMap { reclaim?.ended($0, at: now) }
    }

    /// Nobody may wait any more: ``next(at:room:)`` refuses all, in the order in which they came.
    package mutating func shutDown() {
        isShutDown = true
    }

    /// Gives up on requests that were told to end and did not.
    ///
    /// - Returns: how many.
    package mutating func giveUpOnEvictions(at now: MonotonicInstant) -> Int {
        reclaim?.giveUp(at: now) ?? 0
    }

    /// The flows that were forgotten since this was asked last.
    package mutating func takeForgotten() -> [ForgottenFlow] {
        defer { forgotten = [] }
        return forgotten
    }

    /// Whether the request called `id`, which waits, is in the flow of those that are not told apart.
    func isFolded(_ id: WaitingID) -> Bool {
        guard let entry = table[id] else { return false }
        return bands[entry.band]?.name(of: entry.flow) != entry.request.request.fairnessID
    }
}

// MARK: - Dispatch

extension FlowEngine {
    /// What a look at the queues found.
    private struct Look {
        var chosen: WaitingID?
        /// The place in ``FlowEngine/order`` of the first band that waits because the pool is too full for it.
        var blockedPlace: Int?
        var ceilings: [Double] = []

        /// The ceiling at a place; 1 where the policy, which may be foreign code, has no number for it.
        func ceiling(at place: Int) -> Double {
            guard ceilings.indices.contains(place), !ceilings[place].isNaN else { return 1 }
            return ceilings[place]
        }
    }

    private mutating func look(
        at pool: PoolRoom,
        now: MonotonicInstant,
        room: (RequestConstraint) -> PoolRoom
    ) -> Look {
        cycle &+= 1
        var look = Look()
        let uniform = settings.usageLimit.uniformCeiling
        if uniform == nil {
            look.ceilings = settings.usageLimit.ceilings(at: pool.saturation, priorities: priorities, cycle: cycle)
        }
        // A little less counts as one: a share is seldom a whole part of one in binary.
        if trickle > 1 - 1e-9, pool.saturation < 1, let lower = choosePassedOver(at: now, room: room) {
            trickle -= 1
            look.chosen = lower
            return look
        }
        for place in order.indices {
            guard waitingByBand[order[place]] > 0 else { continue }
            let ceiling = uniform ?? look.ceiling(at: place)
            guard pool.saturation < ceiling else {
                look.blockedPlace = place
                return look
            }
            if let chosen = choose(in: order[place], below: ceiling, at: now, room: room) {
                creditLowerPriorities(than: place)
                look.chosen = chosen
                return look
            }
        }
        return look
    }

    /// The request whose turn it is in a band, of those that have somewhere to go.
    private mutating func choose(
        in index: Int,
        below ceiling: Double,
        at now: MonotonicInstant,
        room: (RequestConstraint) -> PoolRoom
    ) -> WaitingID? {
        var blocked: [ConstraintID] = []
        while let (id, constraint) = bands[index]?.next(without: blocked, at: now) {
            if constraint == .none { return id }
            // Whoever has no endpoint at all goes on too: to be told so.
            let own = room(constraints[constraint])
            if own.isEmpty || own.saturation < ceiling { return id }
            blocked.append(constraint)
            if blocked.count == Self.mostBlockedConstraints { return nil }
        }
        return nil
    }

    /// Each dispatch while lower priorities wait earns them as much of one as makes their share of all dispatches.
    private mutating func creditLowerPriorities(than place: Int) {
        let share = settings.lowerPriorityShare
        guard share > 0 else { return }
        let someWait = order[(place + 1)...].contains { waitingByBand[$0] > 0 }
        // What is not taken at once is not saved up: a burst of what has low priority is what priorities prevent.
        let earned = share / (1 - share)
        trickle = someWait ? min(max(1, earned), trickle + earned) : 0
    }

    /// The request of the lower priorities that waits longest.
    private mutating func choosePassedOver(
        at now: MonotonicInstant,
        room: (RequestConstraint) -> PoolRoom
    ) -> WaitingID? {
        let waiting = order.filter { waitingByBand[$0] > 0 }
        let byAge = waiting.dropFirst().sorted { left, right in
            let (leftHead, rightHead) = (bands[left]?.oldestHead, bands[right]?.oldestHead)
            guard let leftHead, let rightHead, leftHead != rightHead else { return false }
            return leftHead < rightHead
        }
        for index in byAge {
            if let id = choose(in: index, below: 1, at: now, room: room) { return id }
        }
        return nil
    }

    private mutating func dispatch(_ id: WaitingID, at now: MonotonicInstant) -> Action? {
        guard let entry = remove(id, at: now) else { return nil }
        let tokens = entry.request.uncachedTokens
        let charged = bands[entry.band]?.dispatched(entry.flow, uncachedTokens: tokens, at: now) ?? 0
        grants[id] = Grant(band: entry.band, flow: entry.flow, uncachedTokens: tokens, charged: charged)
        reserved.requests += 1
        reserved.tokens += tokens
        running += 1
        drainRate.note(at: now)
        return .end(id, .dispatched)
    }

    private mutating func evict(for look: Look, _ pool: PoolRoom, at now: MonotonicInstant) -> Action? {
        guard reclaim != nil, let blocked = look.blockedPlace else { return nil }
        for place in blocked..<order.count {
            guard waitingByBand[order[place]] > 0 else { continue }
            let uniform = settings.usageLimit.uniformCeiling
            let ceiling = uniform ?? look.ceiling(at: place)
            guard ceiling > 0 else { continue }
            let victim = reclaim?.victim(
                for: priorities[place],
                excess: pool.saturation - ceiling,
                saturation: pool.saturation,
                inFlight: running,
                at: now
            )
            if let victim { return .evict(victim) }
        }
        return nil
    }
}

// MARK: - Queues

extension FlowEngine {
    private mutating func remove(_ id: WaitingID, at now: MonotonicInstant) -> WaitingTable.Entry? {
        guard let entry = table.remove(id) else { return nil }
        bands[entry.band]?.remove(entry, notIn: table, at: now)
        waitingByBand[entry.band] -= 1
        constraints.leave(entry.constraint)
        bytes -= entry.request.byteCount
        return entry
    }

    private func hasCapacity(for byteCount: Int, band index: Int) -> Bool {
        if let limit = settings.maxRequests, table.count >= limit { return false }
        if let limit = settings.maxBytes, byteCount > limit - bytes { return false }
        return !(bands[index]?.isFull(for: byteCount) ?? true)
    }

    // MARK: Time to wait

    private var presentTTL: Duration? { isPoolEmpty ? settings.noEndpointTTL : settings.requestTTL }

    /// When the first of those that wait has waited long enough.
    private var nextExpiry: MonotonicInstant? {
        guard let ttl = presentTTL, let first = arrivals.first(where: { table.isWaiting($0.id) }) else { return nil }
        return max(first.at, regimeSince).advanced(by: ttl)
    }

    /// Takes out the first of those whose time to wait is over.
    private mutating func popExpired(at now: MonotonicInstant) -> WaitingID? {
        while let first = arrivals.first, !table.isWaiting(first.id) { arrivals.removeFirst() }
        guard let expiry = nextExpiry, now >= expiry else { return nil }
        return popArrival(at: now)
    }

    /// Takes out the one that came first.
    private mutating func popArrival(at now: MonotonicInstant = MonotonicInstant(nanoseconds: 0)) -> WaitingID? {
        while let first = arrivals.popFirst() {
            if remove(first.id, at: now) != nil { return first.id }
        }
        return nil
    }

    // MARK: Bands

    private func bandIndex(of priority: Int) -> Int {
        if let place = priorities.firstIndex(of: priority) { return order[place] }
        // The band of 0 always exists.
        return priorities.firstIndex(of: 0).map { order[$0] } ?? order[0]
    }

    private mutating func addBand(_ priority: Int) {
        let band = PriorityBand(
            priority: priority,
            settings: settings.band(of: priority),
            maxFlows: settings.maxFlows
        )
        let index = bands.firstIndex { $0 == nil } ?? bands.count
        if index == bands.count {
            bands.append(band)
            waitingByBand.append(0)
        } else {
            bands[index] = band
        }
        let place = priorities.firstIndex { $0 < priority } ?? priorities.count
        priorities.insert(priority, at: place)
        order.insert(index, at: place)
    }

    private mutating func removeUnwantedBands() {
        for place in order.indices.reversed() where !wantedPriorities.contains(priorities[place]) {
            guard bands[order[place]]?.isIdle ?? true else { continue }
            bands[order[place]] = nil
            order.remove(at: place)
            priorities.remove(at: place)
        }
    }

    /// Forgets what is not needed any more, once in a while.
    private mutating func sweep(at now: MonotonicInstant) {
        guard let due = nextSweep else {
            nextSweep = now.advanced(by: Self.sweepInterval)
            return
        }
        guard now >= due else { return }
        nextSweep = now.advanced(by: Self.sweepInterval)
        for (index, priority) in zip(order, priorities) {
            for name in bands[index]?.forgetIdleFlows(at: now) ?? [] {
                forgotten.append(ForgottenFlow(fairnessID: name, priority: priority))
            }
        }
        removeUnwantedBands()
    }
}
