import GatewayCore

/// Tells a full pool by the queues and KV caches that its engines report.
///
/// With queue q, KV-cache use k and thresholds Q and K, the saturation is the mean of `max(q/Q, k/K)` over the
/// endpoints whose metrics are fresh. One hot endpoint does not fill a pool. An endpoint that is not heard of is left
/// out instead of counted as full: else a slow metrics page would refuse requests that idle engines could serve. When
/// nobody is heard of the pool is not saturated.
///
/// As a filter it keeps fresh endpoints below `1 + headroom` of both thresholds; when there is none, all.
struct UtilizationDetector: SaturationDetector, Filter {
    static let descriptor = PluginDescriptor(
        type: "utilization-detector",
        summary: "Tells a full pool by its engines' queues and KV caches; as a filter, keeps endpoints with room."
    )

    /// The default of `metricsStalenessThreshold`. Long enough for a page that takes its whole time limit of one second
    /// to be answered, twice; engines under load answer late, and that is when the detector matters.
    private static let defaultLifetime = Duration.seconds(2)

    private let utilization: EngineUtilization
    private let lifetime: Duration
    private let lifetimeSeconds: Double
    private let headroom: Double
    private let rule: String

    var metricsLifetime: Duration? { lifetime }

    /// Reads `queueDepthThreshold` (default 5), `kvCacheUtilThreshold` (default 0.8; above 0, at most 1),
    /// `metricsStalenessThreshold` (default 2 s) and `headroom` (default 0).
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        utilization = EngineUtilization(parameters: parameters, maxKVCacheThreshold: 1)
        lifetime = parameters.duration(
            "metricsStalenessThreshold",
            default: Self.defaultLifetime,
            in: .milliseconds(1) ... .seconds(3600)
        )
        lifetimeSeconds = lifetime.fractionalSeconds
        headroom = parameters.headroom()
        rule = "\(utilization.formula) < \((1 + headroom).written), metrics at most \(GoDuration.format(lifetime)) old"
    }

    func saturation(of candidates: Candidates, now: MonotonicInstant) -> Double {
        if candidates.isEmpty { return 1 }
        var sum = 0.0
        var count = 0
        for position in candidates.positions {
            let endpoint = candidates.all[position]
            guard isFresh(endpoint, now) else { continue }
            sum += utilization.share(of: endpoint.metrics)
            count += 1
        }
        return count == 0 ? 0 : sum / Double(count)
    }

    /// The queue that counts is the one that the engine told, and those who came since and may have to wait there: so a
    /// burst between two looks at the engine finds an end. Whoever brings the engine no further than to as many
    /// requests as it was seen running with none waiting is taken to be run at once.
    func fullness(of endpoint: EndpointSnapshot, adding pending: PendingLoad, now: MonotonicInstant) -> Double? {
        guard isFresh(endpoint, now) else { return nil }
        let came = max(0, Double(endpoint.load.requests) - Double(endpoint.requestsAtMetrics)) + pending.requests
        // As numbers that cannot overflow: what an engine says of itself may be any number.
        let room = Double(endpoint.provenRequests) - max(0, Double(endpoint.metrics.runningRequests))
        return utilization.share(of: endpoint.metrics, adding: max(0, came - max(0, room)))
    }

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {
        let now = context.now
        candidates.keep(orAll: true) { isFresh($0, now) && utilization.share(of: $0.metrics) < 1 + headroom }
    }

    func rule(in context: SchedulingContext) -> String { rule }

    private func isFresh(_ endpoint: EndpointSnapshot, _ now: MonotonicInstant) -> Bool {
        guard let updatedAt = endpoint.metricsUpdatedAt else { return false }
        return now.seconds(since: updatedAt) <= lifetimeSeconds
    }
}
