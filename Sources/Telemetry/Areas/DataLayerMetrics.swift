import Synchronization

/// The instruments of what is known about endpoints. Safe from any thread.
package final class DataLayerMetrics: Sendable {
    /// How a scrape ended.
    package enum ScrapeResult: String, Sendable, Hashable, CaseIterable {
        case success
        /// No connection, or it broke.
        case connection
        /// No complete answer in time.
        case timeout
        /// An answer with a status other than 200.
        case status
        /// A page without any of the wanted metrics, or over the size limit.
        case page
    }

    /// Mean KV-cache share over the ready endpoints, by pool name.
    package let averageCacheUtilization: GaugeFamily
    /// Mean queue length over the ready endpoints, by pool name.
    package let averageQueueSize: GaugeFamily
    /// Mean running requests over the ready endpoints, by pool name.
    package let averageRunningRequests: GaugeFamily
    /// Deviation of the KV-cache share over the ready endpoints, by pool name.
    package let cacheUtilizationDeviation: GaugeFamily
    /// Deviation of the queue length over the ready endpoints, by pool name.
    package let queueSizeDeviation: GaugeFamily
    /// Deviation of the running requests over the ready endpoints, by pool name.
    package let runningRequestsDeviation: GaugeFamily
    /// Endpoints with fresh metrics, by pool name.
    package let readyEndpoints: GaugeFamily
    /// Waiting requests by pool name and endpoint; read when the page is written.
    package let queueSize: ObservedFamily
    /// Requests of this process at an endpoint, by endpoint_name, namespace, producer_name, fairness_id and priority.
    package let inFlightRequests: GaugeFamily
    /// Their tokens, by the same labels.
    package let inFlightTokens: GaugeFamily
    /// Failed polls by source_type.
    package let pollErrors: CounterFamily
    /// Answers in which something was wrong by source_type and extractor_type.
    package let extractErrors: CounterFamily
    /// Seconds since an endpoint's metrics were read, by endpoint; read when the page is written.
    package let metricsAge: ObservedFamily
    /// Ejections by endpoint and reason.
    package let ejections: CounterFamily
    /// 1 while an endpoint is ejected, by endpoint.
    package let ejected: GaugeFamily
    /// Seconds of one scrape.
    package let scrapeDuration: Histogram
    /// Leases dropped without being closed.
    package let leaseLeaks: Counter

    private let scrapeFamily: CounterFamily
    private let faultFamily: CounterFamily
    /// What requests count on, so that each does one look-up without an allocation.
    private let inFlight = Mutex<[InFlightLabels: InFlightGauges]>([:])
    /// With more label sets than this all are looked up again, and those of which nothing is in flight go.
    private static let mostInFlightKept = 4_096

    /// Registers the data-layer families.
    package init(registry: MetricRegistry) throws(MetricRegistrationError) {
        typealias Names = MetricCatalogue.DataLayer
        averageCacheUtilization = try registry.gauges(Names.averageCacheUtilization)
        averageQueueSize = try registry.gauges(Names.averageQueueSize)
        averageRunningRequests = try registry.gauges(Names.averageRunningRequests)
        cacheUtilizationDeviation = try registry.gauges(Names.cacheUtilizationDeviation)
        queueSizeDeviation = try registry.gauges(Names.queueSizeDeviation)
        runningRequestsDeviation = try registry.gauges(Names.runningRequestsDeviation)
        readyEndpoints = try registry.gauges(Names.readyEndpoints)
        queueSize = try registry.observed(Names.queueSize)
        inFlightRequests = try registry.gauges(Names.inFlightRequests)
        inFlightTokens = try registry.gauges(Names.inFlightTokens)
        pollErrors = try registry.counters(Names.pollErrors)
        extractErrors = try registry.counters(Names.extractErrors)
        metricsAge = try registry.observed(Names.metricsAge)
        ejections = try registry.counters(Names.ejections)
        ejected = try registry.gauges(Names.ejected)
        scrapeFamily = try registry.counters(Names.scrapes)
        faultFamily = try registry.counters(Names.scrapeFaults)
        scrapeDuration = try registry.histogram(Names.scrapeDuration)
        leaseLeaks = try registry.counter(Names.leaseLeaks)
        for result in ScrapeResult.allCases { _ = scrapeFamily.child(result.rawValue) }
    }

    /// The counter of scrapes with this result.
    package func scrapes(_ result: ScrapeResult) -> Counter {
        scrapeFamily.child(result.rawValue)
    }

    /// The counter of fields of pages that had this fault.
    package func faults(_ field: ScrapedField, _ reason: ScrapeFaultReason) -> Counter {
        faultFamily.child(field.rawValue, reason.rawValue)
    }

    /// The gauges of requests with these labels. Whoever counts on them takes back what it added, on the same ones.
    package func inFlight(_ labels: InFlightLabels) -> InFlightGauges {
        inFlight.withLock { kept in
            if let known = kept[labels] { return known }
            if kept.count >= Self.mostInFlightKept {
                kept.removeAll(keepingCapacity: true)
                removeIdle()
            }
            let values = [
                labels.endpoint, labels.namespace, labels.producer, labels.fairnessID, String(labels.priority),
            ]
            let made = InFlightGauges(requests: inFlightRequests.child(values), tokens: inFlightTokens.child(values))
            kept[labels] = made
            return made
        }
    }

    /// Takes the series of flows off the page that have nothing in flight, most of which will not come again. A request
    /// that has its gauges and is about to count on them does so unseen.
    private func removeIdle() {
        let idle = inFlightRequests.series.filter { $0.value.value == 0 }
        for family in [inFlightRequests, inFlightTokens] { family.remove { idle[$0] != nil } }
    }

    /// Takes the series of an endpoint that left off the page.
    ///
    /// - Parameters:
    ///   - endpoint: The value of the label `endpoint`, which is also that of `endpoint_name`.
    ///   - namespace: Its namespace.
    package func remove(endpoint: String, namespace: String) {
        ejections.remove("endpoint", equals: endpoint)
        ejected.remove("endpoint", equals: endpoint)
        inFlight.withLock { kept in
            kept = kept.filter { $0.key.endpoint != endpoint || $0.key.namespace != namespace }
            for family in [inFlightRequests, inFlightTokens] {
                family.remove { $0[0] == endpoint && $0[1] == namespace }
            }
        }
    }

    /// Takes the series of a pool that left off the page.
    package func remove(pool: String) {
        let families = [
            averageCacheUtilization, averageQueueSize, averageRunningRequests, cacheUtilizationDeviation,
            queueSizeDeviation, runningRequestsDeviation, readyEndpoints,
        ]
        for family in families { family.remove("name", equals: pool) }
    }
}

/// The labels of the requests that one endpoint has in flight.
package struct InFlightLabels: Hashable, Sendable {
    /// The endpoint's name.
    package let endpoint: String
    /// Its namespace.
    package let namespace: String
    /// The name of the plugin that says what a request is for an endpoint; empty for none.
    package let producer: String
    /// The flow that the request belongs to.
    package let fairnessID: String
    /// Its priority.
    package let priority: Int

    /// Names a series. A flow whose name is too long for a label is counted with those that are not told apart.
    package init(endpoint: String, namespace: String, producer: String, fairnessID: String, priority: Int) {
        self.endpoint = endpoint
        self.namespace = namespace
        self.producer = producer
        let isTooLong = fairnessID.utf8.count > LabelValueBound.valueBytesMax
        self.fairnessID = isTooLong ? LabelValueBound.overflow : fairnessID
        self.priority = priority
    }
}

/// What one endpoint has in flight of one flow and priority.
package struct InFlightGauges: Sendable {
    /// Requests.
    package let requests: Gauge
    /// Tokens that they give it to work on.
    package let tokens: Gauge
}
