/// The instruments of flow control. Safe from any thread.
package struct FlowControlMetrics: Sendable {
    /// What became of a request that was told to end.
    package enum Revocation: String, Sendable, Hashable {
        /// It ended.
        case confirmed
        /// It did not end in time.
        case timedOut = "timed_out"
    }

    /// Seconds in the queue by fairness_id, priority, outcome, inference_pool, model_name and target_model_name.
    package let queueDuration: HistogramFamily
    /// Seconds of one look at the queues.
    package let dispatchCycle: Histogram
    /// Requests that wait by fairness_id, priority, inference_pool, model_name and target_model_name.
    package let queueSize: GaugeFamily
    /// Their bytes, by the same labels.
    package let queueBytes: GaugeFamily
    /// Decisions by outcome, priority and inference_pool.
    package let requests: CounterFamily
    /// How full the pool is by inference_pool and stage.
    package let saturation: GaugeFamily
    /// Seconds of joining the queue by fairness_id, priority and outcome.
    package let enqueueDuration: HistogramFamily
    /// Endpoints whose metrics are too old by detector.
    package let staleEndpoints: GaugeFamily
    /// The share of a band's requests by priority and inference_pool.
    package let requestUtilization: GaugeFamily
    /// The share of a band's bytes by priority and inference_pool.
    package let byteUtilization: GaugeFamily
    /// The share of the whole queue's requests by inference_pool.
    package let globalRequestUtilization: GaugeFamily
    /// The share of the whole queue's bytes by inference_pool.
    package let globalByteUtilization: GaugeFamily
    /// Running requests that were told to end by priority and inference_pool.
    package let revocationsIssued: CounterFamily
    /// What became of them by outcome and inference_pool.
    package let revocations: CounterFamily
    /// Seconds until they ended by inference_pool.
    package let revocationConfirmation: HistogramFamily
    /// How equal the mean waits of programs are; read when the page is written.
    package let programFairness: ObservedFamily
    /// Milliseconds that requests waited on average by program_id; read when the page is written.
    package let programWait: ObservedFamily
    /// Tokens of work that count by program_id; read when the page is written.
    package let programService: ObservedFamily
    /// Requests of flows that were not told apart by priority and inference_pool.
    package let foldedRequests: CounterFamily

    /// Registers the families of flow control.
    package init(registry: MetricRegistry) throws(MetricRegistrationError) {
        typealias Names = MetricCatalogue.FlowControl
        queueDuration = try registry.histograms(Names.queueDuration)
        dispatchCycle = try registry.histogram(Names.dispatchCycle)
        queueSize = try registry.gauges(Names.queueSize)
        queueBytes = try registry.gauges(Names.queueBytes)
        requests = try registry.counters(Names.requests)
        saturation = try registry.gauges(Names.saturation)
        enqueueDuration = try registry.histograms(Names.enqueueDuration)
        staleEndpoints = try registry.gauges(Names.staleEndpoints)
        requestUtilization = try registry.gauges(Names.requestUtilization)
        byteUtilization = try registry.gauges(Names.byteUtilization)
        globalRequestUtilization = try registry.gauges(Names.globalRequestUtilization)
        globalByteUtilization = try registry.gauges(Names.globalByteUtilization)
        revocationsIssued = try registry.counters(Names.revocationsIssued)
        revocations = try registry.counters(Names.revocations)
        revocationConfirmation = try registry.histograms(Names.revocationConfirmation)
        programFairness = try registry.observed(Names.programFairness)
        programWait = try registry.observed(Names.programWait)
        programService = try registry.observed(Names.programService)
        foldedRequests = try registry.counters(Names.foldedRequests)
    }

    /// Takes the series of flows that are gone off the page.
    ///
    /// - Parameters:
    ///   - flows: the fairness id and the priority of each.
    ///   - pool: the pool's name.
    package func remove(flows: Set<[String]>, pool: String) {
        // Flows go by the thousand at times: one pass over the series, and not one for each of them.
        enqueueDuration.remove { flows.contains(Array($0[0...1])) }
        queueDuration.remove { $0[3] == pool && flows.contains(Array($0[0...1])) }
        for family in [queueSize, queueBytes] {
            family.remove { $0[2] == pool && flows.contains(Array($0[0...1])) }
        }
    }
}
