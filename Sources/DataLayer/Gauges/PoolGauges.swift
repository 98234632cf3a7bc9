package import GatewayCore
import Synchronization
package import Telemetry

/// The figures of whole pools on the gateway's own metrics page, taken from the stores when the page is written.
package final class PoolGauges: Sendable {
    private let stores: @Sendable () -> [EndpointStore]
    private let clock: any MonotonicClock
    private let staleness: Duration
    private let metrics: DataLayerMetrics
    private let knownPools = Mutex<Set<String>>([])

    /// Makes the gauges and lets the families that are read at writing time read from the stores.
    ///
    /// - Parameters:
    ///   - metrics: the instruments.
    ///   - clock: the stores' clock.
    ///   - staleness: how old metrics may be for their endpoint to count as ready.
    ///   - stores: the pools that there are now; called whenever a page is written.
    package init(
        metrics: DataLayerMetrics,
        clock: any MonotonicClock,
        staleness: Duration = .seconds(2),
        stores: @escaping @Sendable () -> [EndpointStore]
    ) {
        self.metrics = metrics
        self.clock = clock
        self.staleness = staleness
        self.stores = stores
        metrics.queueSize.observe { samples in
            for store in stores() {
                for endpoint in store.current.endpoints where endpoint.metricsUpdatedAt != nil {
                    samples.add(Double(endpoint.metrics.waitingQueueSize), store.pool.name, endpoint.id.name)
                }
            }
        }
        metrics.metricsAge.observe { samples in
            let now = clock.now
            for store in stores() {
                for endpoint in store.current.endpoints {
                    if let age = endpoint.metricsAge(at: now) { samples.add(age.fractionalSeconds, endpoint.id.name) }
                }
            }
        }
    }

    /// Sets the gauges that are written from memory; to be called just before a page is written.
    ///
    /// With no ready endpoint only their number is set: an average over nothing keeps its last value.
    package func refresh() {
        let now = clock.now
        let stores = stores()
        for store in stores {
            let pool = store.pool.name
            let figures = PoolFigures(store.current.endpoints, at: now, staleness: staleness)
            metrics.readyEndpoints.child(pool).set(Double(figures.readyCount))
            guard figures.readyCount > 0 else { continue }
            metrics.averageQueueSize.child(pool).set(figures.queueSize.average)
            metrics.averageRunningRequests.child(pool).set(figures.runningRequests.average)
            metrics.averageCacheUtilization.child(pool).set(figures.cacheUsage.average)
            metrics.queueSizeDeviation.child(pool).set(figures.queueSize.standardDeviation)
            metrics.runningRequestsDeviation.child(pool).set(figures.runningRequests.standardDeviation)
            metrics.cacheUtilizationDeviation.child(pool).set(figures.cacheUsage.standardDeviation)
        }
        let pools = Set(stores.map(\.pool.name))
        let gone = knownPools.withLock { known in
            defer { known = pools }
            return known.subtracting(pools)
        }
        for pool in gone { metrics.remove(pool: pool) }
    }
}

/// Figures over the ready endpoints of a pool: those whose metrics are fresh.
package struct PoolFigures: Hashable, Sendable {
    /// The mean and the spread of one value.
    package struct Distribution: Hashable, Sendable {
        /// The mean, rounded to two decimals; 0 without values.
        package let average: Double
        /// The sample standard deviation (n − 1, at least 1), rounded to two decimals; 0 without values.
        package let standardDeviation: Double

        init(_ values: [Double]) {
            guard !values.isEmpty else {
                (average, standardDeviation) = (0, 0)
                return
            }
            let mean = values.reduce(0, +) / Double(values.count)
            let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            average = Self.rounded(mean)
            standardDeviation = Self.rounded((squares / Double(max(values.count - 1, 1))).squareRoot())
        }

        private static func rounded(_ value: Double) -> Double {
            (value * 100).rounded() / 100
        }
    }

    /// Endpoints whose metrics are fresh.
    package let readyCount: Int
    /// Waiting requests.
    package let queueSize: Distribution
    /// Running requests.
    package let runningRequests: Distribution
    /// The share of the KV cache in use, 0 ... 1.
    package let cacheUsage: Distribution

    /// Computes the figures of `endpoints` whose metrics are at most `staleness` old at `now`.
    package init(_ endpoints: [EndpointSnapshot], at now: MonotonicInstant, staleness: Duration) {
        let ready = endpoints.filter { endpoint in endpoint.metricsAge(at: now).map { $0 <= staleness } ?? false }
        readyCount = ready.count
        queueSize = Distribution(ready.map { Double($0.metrics.waitingQueueSize) })
        runningRequests = Distribution(ready.map { Double($0.metrics.runningRequests) })
        cacheUsage = Distribution(ready.map(\.metrics.kvCacheUsage))
    }
}
