/// The instruments of what is known about endpoints.
package struct DataLayerMetrics: Sendable {
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
    /// Endpoints with fresh metrics, by pool name.
    package let readyEndpoints: GaugeFamily
    /// Waiting requests by pool name and endpoint; read when the page is written.
    package let queueSize: ObservedFamily
    /// Requests of this process at an endpoint, by endpoint_name, namespace, producer_name, fairness_id and priority.
    package let inFlightRequests: GaugeFamily
    /// Failed polls by source_type.
    package let pollErrors: CounterFamily
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

    /// Registers the data-layer families.
    package init(registry: MetricRegistry) throws(MetricRegistrationError) {
        typealias Names = MetricCatalogue.DataLayer
        averageCacheUtilization = try registry.gauges(Names.averageCacheUtilization)
        averageQueueSize = try registry.gauges(Names.averageQueueSize)
        averageRunningRequests = try registry.gauges(Names.averageRunningRequests)
        readyEndpoints = try registry.gauges(Names.readyEndpoints)
        queueSize = try registry.observed(Names.queueSize)
        inFlightRequests = try registry.gauges(Names.inFlightRequests)
        pollErrors = try registry.counters(Names.pollErrors)
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

    /// Takes the series of an endpoint that left off the page.
    ///
    /// - Parameters:
    ///   - endpoint: The value of the label `endpoint`, which is also that of `endpoint_name`.
    ///   - namespace: Its namespace.
    package func remove(endpoint: String, namespace: String) {
        ejections.remove("endpoint", equals: endpoint)
        ejected.remove("endpoint", equals: endpoint)
        inFlightRequests.remove { $0[0] == endpoint && $0[1] == namespace }
    }

    /// Takes the series of a pool that left off the page.
    package func remove(pool: String) {
        for family in [averageCacheUtilization, averageQueueSize, averageRunningRequests, readyEndpoints] {
            family.remove("name", equals: pool)
        }
    }
}
