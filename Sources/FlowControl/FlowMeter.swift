package import GatewayCore
import Synchronization
package import Telemetry

/// Counts what flow control does for one pool. Safe from any thread.
package final class FlowMeter: Sendable {
    private struct Key: Hashable {
        let fairnessLabel: String
        let priority: Int
        let model: String
        let targetModel: String
    }

    /// More label sets than this are looked up again instead of being kept: clients choose the names.
    private static let mostKept = 4_096

    private let metrics: FlowControlMetrics
    private let pool: String
    private let kept = Mutex<[Key: FlowInstruments]>([:])

    /// Makes a meter of the pool called `pool`.
    package init(metrics: FlowControlMetrics, pool: PoolID) {
        self.metrics = metrics
        self.pool = pool.name
    }

    /// The instruments of a request, which does this one look-up. A request leaves the series that it entered, also
    /// when its labels would give others by then, since the page keeps only so many apart.
    ///
    /// - Parameter isFolded: whether it is in the flow of those that are not told apart.
    func instruments(of request: InferenceRequest, isFolded: Bool) -> FlowInstruments {
        let key = Key(
            fairnessLabel: isFolded ? PriorityBand.otherFlows : request.fairnessLabel,
            priority: request.priority,
            model: request.model,
            targetModel: request.targetModel
        )
        return kept.withLock { kept in
            if let known = kept[key] { return known }
            if kept.count >= Self.mostKept { kept.removeAll(keepingCapacity: true) }
            let made = FlowInstruments(metrics: metrics, pool: pool, flow: key.fairnessLabel, request: request)
            kept[key] = made
            return made
        }
    }

    /// A request has joined the queue, or was refused, which took from `start` to `end`.
    func joined(_ ticket: AdmissionTicket, from start: MonotonicInstant, to end: MonotonicInstant) {
        let outcome = ticket.decision?.outcome.rawValue ?? Self.undecided
        ticket.instruments?.joined(outcome, seconds: end.seconds(since: start))
    }

    /// The outcome of a request that waits, as upstream spells it.
    private static let undecided = "NotYetFinalized"

    /// A look at the queues took `seconds`.
    func looked(for seconds: Double) {
        metrics.dispatchCycle.observe(seconds)
    }

    /// A request was put into the flow of those that are not told apart.
    func folded(priority: Int) {
        metrics.foldedRequests.child(String(priority), pool).increment()
    }

    /// A running request was told to end.
    func evictionIssued(priority: Int) {
        metrics.revocationsIssued.child(String(priority), pool).increment()
    }

    /// A request that was told to end did.
    func evictionConfirmed(after duration: Duration) {
        metrics.revocations.child(FlowControlMetrics.Revocation.confirmed.rawValue, pool).increment()
        metrics.revocationConfirmation.child(pool).observe(duration.fractionalSeconds)
    }

    /// Requests that were told to end did not.
    func evictionsTimedOut(_ count: Int) {
        metrics.revocations.child(FlowControlMetrics.Revocation.timedOut.rawValue, pool).increment(by: UInt64(count))
    }

    /// Flows were forgotten.
    func forget(_ flows: [FlowEngine.ForgottenFlow]) {
        let gone = Set(flows.map { [$0.fairnessID, String($0.priority)] })
        kept.withLock { kept in
            kept = kept.filter { !gone.contains([$0.key.fairnessLabel, String($0.key.priority)]) }
        }
        metrics.remove(flows: gone, pool: pool)
    }
}

/// What is counted of the requests of one flow, priority and model. Requests share it; safe from any thread.
final class FlowInstruments: Sendable {
    /// The instruments of one outcome.
    private struct Decided {
        let requests: Counter
        let duration: Histogram
    }

    private let size: Gauge
    private let bytes: Gauge
    private let metrics: FlowControlMetrics
    private let pool: String
    private let labels: [String]
    /// The times of joining by outcome. When another pool forgets a flow of the same name, they are looked up anew.
    private struct Joined {
        var generation = 0
        var byOutcome: [String: Histogram] = [:]
    }

    private let joined = Mutex(Joined())
    /// Those of requests that go on, once there was one: most do.
    private let dispatched = Mutex<Decided?>(nil)

    fileprivate init(metrics: FlowControlMetrics, pool: String, flow: String, request: InferenceRequest) {
        self.metrics = metrics
        self.pool = pool
        labels = [flow, String(request.priority), pool, request.model, request.targetModel]
        size = metrics.queueSize.child(labels)
        bytes = metrics.queueBytes.child(labels)
    }

    /// A request of `byteCount` bytes began to wait.
    func entered(byteCount: Int) {
        size.increment()
        bytes.add(Double(byteCount))
    }

    /// A request of `byteCount` bytes waits no more.
    func left(byteCount: Int) {
        size.decrement()
        bytes.add(-Double(byteCount))
    }

    /// A request joined the queue, which took so long; its outcome by then.
    func joined(_ outcome: String, seconds: Double) {
        let family = metrics.enqueueDuration
        let histogram = joined.withLock { joined in
            let generation = family.generation
            if joined.generation != generation { joined = Joined(generation: generation) }
            if let known = joined.byOutcome[outcome] { return known }
            let made = family.child(labels[0], labels[1], outcome)
            joined.byOutcome[outcome] = made
            return made
        }
        histogram.observe(seconds)
    }

    /// A decision about a request was made, which is at `trace` when its trace is sampled.
    func decided(_ decision: FlowDecision, trace: TraceContext?) {
        let instruments =
            if decision.outcome == .dispatched {
                dispatched.withLock { known in
                    let present = known ?? decided(.dispatched)
                    known = present
                    return present
                }
            } else {
                decided(decision.outcome)
            }
        instruments.requests.increment()
        instruments.duration.observe(decision.waited.fractionalSeconds, exemplar: trace)
    }

    private func decided(_ outcome: FlowOutcome) -> Decided {
        let (flow, priority) = (labels[0], labels[1])
        return Decided(
            requests: metrics.requests.child(outcome.rawValue, priority, pool),
            duration: metrics.queueDuration.child(flow, priority, outcome.rawValue, pool, labels[3], labels[4])
        )
    }
}
