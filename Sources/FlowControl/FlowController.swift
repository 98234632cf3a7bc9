package import GatewayCore
import Synchronization
package import Telemetry

/// Says how much room a pool has.
package protocol PoolRoomSource: Sendable {
    /// The room of the endpoints that `constraint` leaves.
    ///
    /// - Parameters:
    ///   - constraint: which endpoints.
    ///   - pending: work that was let go and has not reached an endpoint; counts as if it were there.
    ///   - now: the present.
    func room(for constraint: RequestConstraint, adding pending: PendingLoad, at now: MonotonicInstant) -> PoolRoom

    /// When time alone may change the room after `now`, such as by metrics that are too old then; `nil` for never.
    func nextChange(after now: MonotonicInstant) -> MonotonicInstant?
}

/// Lets the requests of one pool wait for their turn.
///
/// The shell of a ``FlowEngine``: one lock, one timer. Nothing is looked at periodically: requests go when one comes,
/// when one ends, when an endpoint tells something new or comes or goes, or when a time is over. Those who wait are
/// told outside of the lock, on the thread on which the reason for it happened. Safe from any thread.
package final class FlowController: Sendable {
    private struct State {
        var engine: FlowEngine
        var tickets: [WaitingID: AdmissionTicket] = [:]
        var evictions: [RunningID: Eviction] = [:]
        var alarm: Alarm?
        /// When something is to be done by the time alone.
        var nextWake: MonotonicInstant?
        var isStopped = false
    }

    /// How a running request is ended for a more important one.
    private struct Eviction {
        let priority: Int
        let perform: @Sendable () -> Void
    }

    private struct Alarm {
        let due: MonotonicInstant
        let place: any Cancellable
    }

    /// What is to be done after the lock is let go of.
    private struct Work {
        var decided: [AdmissionTicket] = []
        var evictions: [@Sendable () -> Void] = []
    }

    private let rooms: any PoolRoomSource
    private let clock: any MonotonicClock
    private let timer: (any CallbackTimer)?
    private let meter: FlowMeter?
    private let state: Mutex<State>
    /// How many requests wait, so that most events cost one look.
    private let waiting = Atomic<Int>(0)

    /// Makes a controller without requests.
    ///
    /// - Parameters:
    ///   - settings: the configuration.
    ///   - rooms: says how much room the pool has.
    ///   - evictionGrace: how long the pool takes to show the room that an evicted request left.
    ///   - clock: the time.
    ///   - timer: wakes the controller by `clock`; `nil` when somebody else calls ``poolChanged()`` at ``nextWake``.
    ///   - meter: counts; `nil` counts nothing.
    package init(
        settings: FlowControlSettings,
        rooms: any PoolRoomSource,
        evictionGrace: Duration,
        clock: any MonotonicClock,
        timer: (any CallbackTimer)?,
        meter: FlowMeter? = nil
    ) {
        self.rooms = rooms
        self.clock = clock
        self.timer = timer
        self.meter = meter
        readsUncachedTokens = settings.readsUncachedTokens
        state = Mutex(State(engine: FlowEngine(settings: settings, evictionGrace: evictionGrace)))
    }

    /// How many requests wait.
    package var waitingCount: Int { waiting.load(ordering: .relaxed) }

    /// When something is to be done by the time alone; `nil` for never.
    package var nextWake: MonotonicInstant? { state.withLock { $0.nextWake } }

    /// Whether the order of requests depends on the tokens that no endpoint holds.
    package let readsUncachedTokens: Bool

    /// The bands, flows and counts now.
    package func statistics() -> FlowStatistics { state.withLock { FlowStatistics($0.engine) } }

    /// What the fairness policies of the bands remember of programs; `nil` when none of them knows any. A program has
    /// an element for each band in which it is known.
    package func programs() -> [ProgramFigures]? {
        let now = clock.now
        let known = state.withLock { state in state.engine.bands.compactMap { $0?.programs(at: now) } }
        return known.isEmpty ? nil : known.flatMap(\.self)
    }

    /// The priorities of the pool's objectives, which have bands of their own.
    package func setPriorities(_ priorities: Set<Int>) {
        state.withLock { $0.engine.setPriorities(priorities) }
    }

    /// A request comes.
    ///
    /// - Parameters:
    ///   - request: the request.
    ///   - uncachedTokens: the prompt tokens that have to be computed for it.
    ///   - constraint: the endpoints that it may go to.
    ///   - trace: where it is in its trace, when that is sampled: its wait can be found there.
    ///   - resume: called once, from any thread and never inside this call, when the returned ticket had no decision
    ///     and has one.
    package func submit(
        _ request: InferenceRequest,
        uncachedTokens: Int,
        constraint: RequestConstraint,
        trace: TraceContext? = nil,
        resume: @escaping @Sendable () -> Void
    ) -> AdmissionTicket {
        let now = clock.now
        let (ticket, work) = state.withLock { state in
            let queued = QueuedRequest(
                request: request,
                byteCount: request.body.count,
                enqueuedAt: now,
                deadline: state.engine.settings.requestTTL.map { now.advanced(by: $0) },
                uncachedTokens: uncachedTokens
            )
            let arrival = state.engine.enqueue(queued, constraint: constraint, at: now) {
                rooms.room(for: .none, adding: .none, at: now)
            }
            let ticket: AdmissionTicket
            switch arrival {
            case .refused(let outcome):
                let decision = decision(outcome, of: queued, at: now, &state)
                let instruments = meter?.instruments(of: request, isFolded: false)
                ticket = AdmissionTicket(
                    queued, id: nil, decision: decision, controller: self, instruments: instruments, trace: trace,
                    resume: resume)
                instruments?.decided(decision, trace: trace)
                return (ticket, Work())
            case .waits(let id):
                let isFolded = state.engine.isFolded(id)
                let instruments = meter?.instruments(of: request, isFolded: isFolded)
                if isFolded { meter?.folded(priority: request.priority) }
                ticket = AdmissionTicket(
                    queued, id: id, decision: nil, controller: self, instruments: instruments, trace: trace,
                    resume: resume)
                state.tickets[id] = ticket
                instruments?.entered(byteCount: queued.byteCount)
            }
            return (ticket, run(&state, at: now))
        }
        perform(work, except: ticket)
        meter?.joined(ticket, from: now, to: clock.now)
        return ticket
    }

    /// Endpoints came or went, told something new, or have less to do.
    package func poolChanged() {
        guard waiting.load(ordering: .relaxed) > 0 else { return }
        perform(state.withLock { run(&$0, at: clock.now) })
    }

    /// Nobody may wait any more: those who do are refused in the order in which they came, and whoever comes is too.
    package func shutDown() {
        let work = state.withLock { state in
            state.engine.shutDown()
            return run(&state, at: clock.now)
        }
        perform(work)
    }

    /// Ends the controller: its pool is gone. Whoever waits is refused.
    package func stop() {
        shutDown()
        state.withLock { state in
            state.isStopped = true
            state.alarm?.place.cancel()
            state.alarm = nil
        }
    }

    // MARK: - What tickets tell

    /// A request that was let go has an endpoint.
    func began(
        _ id: WaitingID,
        _ running: RunningRequest,
        evict: @escaping @Sendable () -> Void
    ) -> (FlowEngine.Grant, RunningID?)? {
        let now = clock.now
        let (result, work): ((FlowEngine.Grant, RunningID?)?, Work) = state.withLock { state in
            guard let grant = state.engine.settled(id) else { return (nil, Work()) }
            let number = state.engine.began(running)
            if let number { state.evictions[number] = Eviction(priority: running.priority, perform: evict) }
            return ((grant, number), run(&state, at: now))
        }
        perform(work)
        return result
    }

    /// A request is over that has no endpoint: it waits no more, or gives its place back.
    ///
    /// - Returns: what was decided about it by that; `nil` when it waited no more.
    func left(_ ticket: AdmissionTicket, as outcome: FlowOutcome) -> FlowDecision? {
        guard let id = ticket.id else { return nil }
        let now = clock.now
        let (made, work): (FlowDecision?, Work) = state.withLock { state in
            var made: FlowDecision?
            if state.engine.cancel(id, at: now) {
                state.tickets[id] = nil
                ticket.instruments?.left(byteCount: ticket.request.byteCount)
                let decision = decision(outcome, of: ticket.request, at: now, &state)
                ticket.instruments?.decided(decision, trace: ticket.trace)
                made = decision
            } else if let grant = state.engine.settled(id) {
                _ = state.engine.ended(grant, running: nil, usage: TokenUsage.none, at: now)
            }
            return (made, run(&state, at: now))
        }
        perform(work)
        return made
    }

    /// A request ended that had an endpoint.
    func ended(_ grant: FlowEngine.Grant, running number: RunningID?, usage: TokenUsage?) {
        let now = clock.now
        let work = state.withLock { state in
            if let number { state.evictions[number] = nil }
            if let took = state.engine.ended(grant, running: number, usage: usage, at: now) {
                meter?.evictionConfirmed(after: took)
            }
            return run(&state, at: now)
        }
        perform(work)
    }

    // MARK: - The engine's turn

    /// Lets the engine do all that can be done now.
    private func run(_ state: inout State, at now: MonotonicInstant) -> Work {
        var work = Work()
        let begun = state.engine.waitingCount > 0 ? meter.map { _ in clock.now } : nil
        let lost = state.engine.giveUpOnEvictions(at: now)
        if lost > 0 { meter?.evictionsTimedOut(lost) }
        while let action = state.engine.next(
            at: now,
            room: { rooms.room(for: $0, adding: $1, at: now) }
        ) {
            switch action {
            case .end(let id, let outcome):
                guard let ticket = state.tickets.removeValue(forKey: id) else { continue }
                let decision = decision(outcome, of: ticket.request, at: now, &state)
                ticket.instruments?.left(byteCount: ticket.request.byteCount)
                ticket.instruments?.decided(decision, trace: ticket.trace)
                // One whose client left at this moment is about to say so, and gives its place back then.
                if ticket.decide(decision) { work.decided.append(ticket) }
            case .evict(let number):
                guard let eviction = state.evictions.removeValue(forKey: number) else { continue }
                meter?.evictionIssued(priority: eviction.priority)
                work.evictions.append(eviction.perform)
            }
        }
        if let begun { meter?.looked(for: clock.now.seconds(since: begun)) }
        let forgotten = state.engine.takeForgotten()
        if !forgotten.isEmpty { meter?.forget(forgotten) }
        waiting.store(state.engine.waitingCount, ordering: .relaxed)
        state.nextWake = nextWake(of: state.engine, after: now)
        setAlarm(for: state.nextWake, &state)
        return work
    }

    private func nextWake(of engine: FlowEngine, after now: MonotonicInstant) -> MonotonicInstant? {
        guard engine.waitingCount > 0 else { return nil }
        guard let change = rooms.nextChange(after: now) else { return engine.nextWake }
        return engine.nextWake.map { min($0, change) } ?? change
    }

    private func perform(_ work: Work, except own: AdmissionTicket? = nil) {
        for ticket in work.decided where ticket !== own { ticket.tell() }
        for evict in work.evictions { evict() }
    }

    private func decision(
        _ outcome: FlowOutcome,
        of request: QueuedRequest,
        at now: MonotonicInstant,
        _ state: inout State
    ) -> FlowDecision {
        let isBusy = outcome == .rejectedCapacity || outcome == .evictedTTL
        return FlowDecision(
            outcome: outcome,
            waited: now.since(request.enqueuedAt),
            retryAfterSeconds: isBusy
                ? state.engine.retryAfterSeconds(priority: request.request.priority, at: now) : 1
        )
    }

    /// Sees to it that the engine is looked at when `due` has come. An alarm that stands earlier stays: most are for
    /// requests that are served long before.
    private func setAlarm(for due: MonotonicInstant?, _ state: inout State) {
        guard let timer, let due, !state.isStopped else { return }
        if let alarm = state.alarm {
            if alarm.due <= due { return }
            alarm.place.cancel()
        }
        let place = timer.schedule(at: due) { [weak self] in self?.ring(at: due) }
        state.alarm = Alarm(due: due, place: place)
    }

    private func ring(at due: MonotonicInstant) {
        let now = clock.now
        let work = state.withLock { state in
            // An alarm that was set later stands on its own.
            if state.alarm?.due == due { state.alarm = nil }
            return run(&state, at: now)
        }
        perform(work)
    }
}
