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

    /// A request began to wait.
    func entered(_ request: QueuedRequest) {
        let labels = labels(of: request.request)
        metrics.queueSize.child(labels).increment()
        metrics.queueBytes.child(labels).add(Double(request.byteCount))
    }

    /// A request waits no more.
    func left(_ request: QueuedRequest) {
        let labels = labels(of: request.request)
        metrics.queueSize.child(labels).decrement()
        metrics.queueBytes.child(labels).add(-Double(request.byteCount))
    }

    /// A decision about a request was made.
    func decided(_ decision: FlowDecision, of request: QueuedRequest) {
        let priority = String(request.request.priority)
        metrics.requests.child(decision.outcome.rawValue, priority, pool).increment()
        metrics.queueDuration.child(
            request.request.fairnessLabel, priority, decision.outcome.rawValue, pool, request.request.model,
            request.request.targetModel
        ).observe(decision.waited.fractionalSeconds)
    }

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

    /// A flow was forgotten.
    func forget(_ flow: FlowEngine.ForgottenFlow) {
        metrics.remove(fairnessID: flow.fairnessID, priority: String(flow.priority), pool: pool)
    }

    private func labels(of request: InferenceRequest) -> [String] {
        [request.fairnessLabel, String(request.priority), pool, request.model, request.targetModel]
    }
}
