package import GatewayCore
package import Telemetry

/// Counts what flow control does for one pool. Safe from any thread.
package final class FlowMeter: Sendable {
    private let metrics: FlowControlMetrics
    private let pool: String

    /// Makes a meter of the pool called `pool`.
    package init(metrics: FlowControlMetrics, pool: PoolID) {
        self.metrics = metrics
        self.pool = pool.name
    }

    /// The series of a request that waits: those that it was added to, which are not always those that its labels would
    /// give later, since the page keeps only so many apart.
    struct Place: Sendable {
        fileprivate let flow: String
        fileprivate let size: Gauge
        fileprivate let bytes: Gauge
    }

    /// A request began to wait.
    ///
    /// - Parameters:
    ///   - request: the request.
    ///   - isFolded: whether it is in the flow of those that are not told apart.
    /// - Returns: where it counts until it ``left(_:_:)``.
    func entered(_ request: QueuedRequest, isFolded: Bool) -> Place {
        let (request, byteCount) = (request.request, request.byteCount)
        let priority = String(request.priority)
        let flow = isFolded ? PriorityBand.otherFlows : request.fairnessLabel
        let labels = [flow, priority, pool, request.model, request.targetModel]
        if isFolded { metrics.foldedRequests.child(priority, pool).increment() }
        let place = Place(flow: flow, size: metrics.queueSize.child(labels), bytes: metrics.queueBytes.child(labels))
        place.size.increment()
        place.bytes.add(Double(byteCount))
        return place
    }

    /// A request waits no more.
    func left(_ place: Place?, _ request: QueuedRequest) {
        place?.size.decrement()
        place?.bytes.add(-Double(request.byteCount))
    }

    /// A decision about a request was made that waited at `place`; `nil` for one that did not wait.
    func decided(_ decision: FlowDecision, of request: QueuedRequest, at place: Place?) {
        let priority = String(request.request.priority)
        metrics.requests.child(decision.outcome.rawValue, priority, pool).increment()
        metrics.queueDuration.child(
            place?.flow ?? request.request.fairnessLabel, priority, decision.outcome.rawValue, pool,
            request.request.model, request.request.targetModel
        ).observe(decision.waited.fractionalSeconds)
    }

    /// A look at the queues took `seconds`.
    func looked(for seconds: Double) {
        metrics.dispatchCycle.observe(seconds)
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
        metrics.remove(flows: Set(flows.map { [$0.fairnessID, String($0.priority)] }), pool: pool)
    }
}
