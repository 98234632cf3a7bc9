package import GatewayCore
import Synchronization
package import Telemetry

/// What one pool's endpoints are, how they are, and what the gateway sent them.
///
/// Sources write the set (``replaceEndpoints(_:)``), the scraper writes what endpoints tell, leases write how requests
/// end; requests read ``current``. All of it is short work under one lock; reading takes a reference to a view that
/// stays as it is for as long as it is held. Views are made when one is asked for after a change, so changes that
/// nobody sees cost no copy. Safe from any thread.
package final class EndpointStore: EndpointSink {
    private struct State {
        var table: EndpointTable
        /// `nil` after a change.
        var view: EndpointStoreView?
        var generation: UInt64 = 0
        /// `nil` after a change of names.
        var names: ServedModels.Names?
        var listeners: [Int: AsyncStream<Void>.Continuation] = [:]
        var lastListener = 0
        /// How many endpoints are not simply available; while 0 all are candidates, and nothing depends on time.
        var unhealthyCount = 0
    }

    /// The pool.
    package let pool: PoolID
    /// The leases of the pool.
    package let ledger: InFlightLedger
    private let clock: any MonotonicClock
    private let metrics: DataLayerMetrics?
    private let onLeave: @Sendable (EndpointSnapshot) -> Void
    private let onHealthChange: EndpointHealthListener?
    private let state: Mutex<State>
    private let roomListener = Mutex<(@Sendable () -> Void)?>(nil)

    /// Makes an empty store.
    ///
    /// - Parameters:
    ///   - pool: the pool's name.
    ///   - clock: the time of ejections and leases.
    ///   - ejection: when endpoints are ejected.
    ///   - metrics: counts ejections and leaked leases; `nil` counts nothing.
    ///   - onHealthChange: told, on the thread of what changed it and without a lock; `nil` when nobody wants to know.
    ///   - onLeave: called once for each endpoint that left, after readers stopped seeing it and before its slot is
    ///     used again, on the thread that changed the set and without a lock.
    package init(
        pool: PoolID,
        clock: any MonotonicClock,
        ejection: EjectionConfiguration = EjectionConfiguration(),
        metrics: DataLayerMetrics? = nil,
        onHealthChange: EndpointHealthListener? = nil,
        onLeave: @escaping @Sendable (EndpointSnapshot) -> Void = { _ in }
    ) {
        self.pool = pool
        self.clock = clock
        self.metrics = metrics
        self.onHealthChange = onHealthChange
        self.onLeave = onLeave
        ledger = InFlightLedger(leaks: metrics?.leaseLeaks)
        state = Mutex(State(table: EndpointTable(ejection: ejection)))
    }

    /// The endpoints now.
    package var current: EndpointStoreView {
        state.withLock { state in
            if let view = state.view {
                guard let until = view.validUntil, clock.now >= until else { return view }
            }
            return makeView(&state)
        }
    }

    /// What is known now of the endpoint that lives this life; `nil` when the life is over.
    package func snapshot(of life: EndpointLife) -> EndpointSnapshot? {
        state.withLock { state in state.table.position(of: life).map { state.table.snapshots[$0] } }
    }

    /// Makes `endpoints` the whole set. One whose address changed begins a new life; one whose labels changed goes on.
    /// Of two with the same name the first counts.
    package func replaceEndpoints(_ endpoints: [EndpointDescription]) {
        let left: [EndpointSnapshot]? = state.withLock { state in
            guard let left = state.table.replace(endpoints) else { return nil }
            state.view = nil
            state.names = nil
            state.unhealthyCount = state.table.records.count { !$0.isPlain }
            for listener in state.listeners.values { listener.yield() }
            return left
        }
        guard let left else { return }
        for snapshot in left {
            metrics?.remove(endpoint: snapshot.id.name, namespace: snapshot.id.namespace)
            onLeave(snapshot)
        }
        state.withLock { $0.table.release(left) }
        noteRoom()
    }

    /// Takes an endpoint out, or in again: while it is out it gets no new request, and those that it has go on. That
    /// lasts as long as the endpoint's life.
    ///
    /// - Returns: `false` when there is no endpoint of that name.
    package func setCordoned(_ isCordoned: Bool, endpoint id: EndpointID) -> Bool {
        let isKnown = state.withLock { state in
            guard let position = state.table.position(of: id) else { return false }
            let wasPlain = state.table.records[position].isPlain
            state.table.setCordoned(isCordoned, at: position)
            noteChange(wasPlain: wasPlain, at: position, &state)
            return true
        }
        if isKnown { noteRoom() }
        return isKnown
    }

    /// Sets what is called, on any thread and without a lock, whenever requests may find room that they did not find
    /// before: endpoints came or went, told something new, are healthy again or have less to do.
    package func onRoom(_ listener: (@Sendable () -> Void)?) {
        roomListener.withLock { $0 = listener }
    }

    /// Tells that an endpoint has less to do, by the gateway's own count: a request ended or its prompt is computed.
    package func loadDidFall() {
        noteRoom()
    }

    private func noteRoom() {
        roomListener.withLock { $0 }?()
    }

    /// An element whenever endpoints may have come, gone or changed their labels since the last one was taken; changes
    /// in between are one element, so nothing piles up.
    package func membershipChanges() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let number = state.withLock { state in
            state.lastListener += 1
            state.listeners[state.lastListener] = continuation
            return state.lastListener
        }
        continuation.onTermination = { [weak self] _ in
            _ = self?.state.withLock { $0.listeners.removeValue(forKey: number) }
        }
        return stream
    }

    /// Stores what the engine told at `instant`; nothing happens when the life is over.
    ///
    /// - Parameters:
    ///   - metrics: all of the endpoint's metrics.
    ///   - attributes: the attributes that came with them; the others stay as they are.
    ///   - life: the endpoint's life.
    ///   - instant: when the metrics came.
    ///   - requests: how many requests of the gateway were open there when they were asked for; `nil` for as many as
    ///     are open now.
    package func record(
        metrics: EndpointMetrics,
        attributes: [AttributeReading] = [],
        for life: EndpointLife,
        at instant: MonotonicInstant,
        requests: Int? = nil
    ) {
        state.withLock { state in
            guard let position = state.table.position(of: life) else { return }
            // The view lets go of the array first, so that it is changed in place when no request holds it.
            state.view = nil
            let old = state.table.snapshots[position]
            if let names = state.names, !names.stayRight(from: old.metrics, to: metrics) { state.names = nil }
            let snapshot = old.replacing(
                metrics: metrics,
                updatedAt: instant,
                requests: requests ?? old.load.requests,
                attributes: old.attributes.updated(with: attributes)
            )
            state.table.setSnapshot(snapshot, at: position)
        }
        noteRoom()
    }

    /// Stores attributes of the endpoint; the others stay as they are. Nothing happens when the life is over.
    package func record(attributes: [AttributeReading], for life: EndpointLife) {
        state.withLock { state in
            guard let position = state.table.position(of: life) else { return }
            let old = state.table.snapshots[position]
            let updated = old.attributes.updated(with: attributes)
            guard updated != old.attributes else { return }
            state.view = nil
            state.table.setSnapshot(old.replacing(attributes: updated), at: position)
        }
    }

    /// Stores what was wrong with the last page from a source; nothing happens when the life is over.
    package func record(faults: [ScrapeFault], from source: String, for life: EndpointLife) {
        state.withLock { state in
            guard let position = state.table.position(of: life),
                state.table.wouldChangeFaults(to: faults, from: source, at: position)
            else { return }
            state.view = nil
            state.table.setFaults(faults, from: source, at: position)
        }
    }

    /// Forgets all faults, and the attributes whose keys are not `kept`: nobody reads them any more.
    package func forgetReadings(exceptAttributes kept: Set<String>) {
        state.withLock { state in
            state.view = nil
            state.table.forgetFaults()
            for position in state.table.records.indices {
                let old = state.table.snapshots[position]
                let attributes = old.attributes.filter { kept.contains($0.key) }
                guard attributes.count < old.attributes.count else { continue }
                state.table.setSnapshot(old.replacing(attributes: attributes), at: position)
            }
        }
    }

    /// Stores the model list that the endpoint told; nothing happens when the life is over.
    package func record(models: [ServedModel], for life: EndpointLife) {
        state.withLock { state in
            guard let position = state.table.position(of: life) else { return }
            state.view = nil
            if state.table.setModels(models, at: position) { state.names = nil }
        }
    }

    /// Tells that a scrape that began at `startedAt` was answered with a status below 500.
    package func scrapeAnswered(_ life: EndpointLife, startedAt: MonotonicInstant) {
        updateHealth(of: life) { $0.scrapeAnswered(startedAt: startedAt, at: $1) }
    }

    /// Tells that a scrape that began at `startedAt` found nobody listening.
    package func scrapeRefused(_ life: EndpointLife, detail: String, startedAt: MonotonicInstant) {
        updateHealth(of: life) { $0.scrapeRefused(detail: detail, startedAt: startedAt, at: $1) }
    }

    /// Opens a lease on `endpoint` for a request of `tokens` tokens, 0 or more, that count until its end.
    package func open(_ endpoint: EndpointSnapshot, tokens: Int) -> RequestLease {
        open(endpoint, load: LoadEstimate(tokens: tokens, lastsToEnd: true))
    }

    /// Opens a lease on `endpoint`. Always succeeds: a request that was decided on a view keeps its endpoint even when
    /// that left or was ejected meanwhile.
    ///
    /// - Parameters:
    ///   - endpoint: the endpoint that answers the request.
    ///   - load: what the request adds to its load.
    ///   - supporting: the further endpoints that work for it.
    ///   - kind: whose request it is, for the gauges of requests in flight; `nil` counts on none.
    package func open(
        _ endpoint: EndpointSnapshot,
        load: LoadEstimate,
        supporting: [SupportingLoad] = [],
        as kind: InFlightKind? = nil
    ) -> RequestLease {
        let now = clock.now
        let trial: Int? = state.withLock { state in
            guard state.unhealthyCount > 0, let position = state.table.position(of: EndpointLife(endpoint)) else {
                return nil
            }
            let (trial, changed) = state.table.updateHealth(at: position) { $0.requestOpened(at: now) }
            if changed { state.view = nil }
            return trial
        }
        return RequestLease(
            store: self,
            endpoint: endpoint,
            load: load,
            supporting: supporting.map { support in
                var support = support
                support.gauges = gauges(of: support.endpoint, kind)
                return support
            },
            gauges: gauges(of: endpoint, kind),
            trial: trial,
            openedAt: now
        )
    }

    private func gauges(of endpoint: EndpointSnapshot, _ kind: InFlightKind?) -> InFlightGauges? {
        guard let kind, let metrics else { return nil }
        return metrics.inFlight(
            InFlightLabels(
                endpoint: endpoint.id.name,
                namespace: endpoint.id.namespace,
                producer: kind.producer,
                fairnessID: kind.fairnessID,
                priority: kind.priority
            )
        )
    }

    func responseBegan(_ life: EndpointLife, openedAt: MonotonicInstant) {
        updateHealth(of: life) { $0.responseBegan(openedAt: openedAt, at: $1) }
    }

    func requestClosed(
        _ life: EndpointLife,
        _ verdict: RequestVerdict,
        detail: String,
        trial: Int?,
        openedAt: MonotonicInstant
    ) {
        updateHealth(of: life) { health, now in
            health.requestClosed(verdict, detail: detail, trial: trial, openedAt: openedAt, at: now)
        }
    }

    private func updateHealth(
        of life: EndpointLife,
        _ change: (inout EjectionStateMachine, MonotonicInstant) -> EjectionStateMachine.Transition?
    ) {
        let now = clock.now
        let (changed, told) = state.withLock { state -> (Bool, (EndpointID, EndpointHealthChange)?) in
            guard let position = state.table.position(of: life) else { return (false, nil) }
            let wasPlain = state.table.records[position].isPlain
            let (transition, changed) = state.table.updateHealth(at: position) { change(&$0, now) }
            if changed { noteChange(wasPlain: wasPlain, at: position, &state) }
            // Under the lock, so that no series is made after the endpoint left and its series were removed.
            guard let transition else { return (changed, nil) }
            let record = state.table.records[position]
            count(transition, record.description.id)
            let change = EndpointHealthChange(transition, detail: record.health.ejection?.detail)
            return (changed, (record.description.id, change))
        }
        if let (id, change) = told { onHealthChange?(pool, id, change) }
        if changed { noteRoom() }
    }

    /// Whether an endpoint is a candidate may have changed.
    private func noteChange(wasPlain: Bool, at position: Int, _ state: inout State) {
        state.view = nil
        state.unhealthyCount += (state.table.records[position].isPlain ? 0 : 1) - (wasPlain ? 0 : 1)
    }

    private func count(_ transition: EjectionStateMachine.Transition, _ id: EndpointID) {
        switch transition {
        case .ejected(let reason):
            metrics?.ejections.child(id.name, reason.rawValue).increment()
            metrics?.ejected.child(id.name).set(1)
        case .healed:
            metrics?.ejected.child(id.name).set(0)
        case .halfOpened:
            break
        }
    }

    private func makeView(_ state: inout State) -> EndpointStoreView {
        state.generation += 1
        let snapshots = state.table.snapshots
        let names = state.names ?? ServedModels.Names(snapshots)
        state.names = names
        let models = ServedModels(lists: state.table.modelLists, names: names)
        let candidates = state.unhealthyCount == 0 ? nil : state.table.candidates(at: clock.now)
        let view = EndpointStoreView(
            generation: state.generation,
            endpoints: snapshots,
            available: candidates?.available ?? snapshots,
            outages: candidates?.outages ?? [],
            cordoned: candidates?.cordoned ?? [],
            models: models,
            faults: state.table.faults,
            validUntil: candidates?.validUntil
        )
        state.view = view
        return view
    }
}
