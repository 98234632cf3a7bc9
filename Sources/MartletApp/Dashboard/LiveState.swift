import DataLayer
import GatewayCore

/// One endpoint's numbers, as small as a reader sees them.
struct LiveRow: Hashable, Sendable {
    /// What can be done with an endpoint; the numbers stand in the feed.
    enum Standing: Int, Sendable {
        case available = 0
        case ejected = 1
        case draining = 2
        case stale = 3
        case notAsked = 4
    }

    /// Requests in the engine's queue.
    var waiting: Int
    /// Requests that the engine works on.
    var running: Int
    /// The KV cache in use, in percent.
    var cacheUsage: Int
    /// The prompt tokens that came from the prefix cache, in percent; -1 when nobody knows.
    var hit: Int
    /// The gateway's own requests there.
    var inFlight: Int
    /// The age of the metrics in tenths of a second, 0 below half a second; -1 when there are none.
    var age: Int
    /// What can be done with it.
    var standing: Standing
}

/// What has changed since the last look.
struct LiveChanges: Sendable {
    /// The endpoints of which a number changed.
    var rows: [(id: Int, row: LiveRow)] = []
    /// The adapters of endpoints whose adapters changed.
    var adapters: [(id: Int, names: [String])] = []
    /// The ejections of endpoints that were ejected or healed, or whose ejection lasts longer than was told.
    var ejections: [(id: Int, outage: EndpointOutage?)] = []
    /// The endpoints that came, or whose facts changed.
    var added: [Int] = []
    /// The endpoints that left.
    var removed: [Int] = []
    /// By place of the pool: the models of pools whose models changed.
    var models: [Int: [String]] = [:]
}

/// What the readers of the live feed have been told. A plain value.
///
/// Endpoints have small numbers here, because their names are long and a reader hears of a thousand each second. A
/// number is never used again; an endpoint that has another address is another endpoint.
struct LiveState: Sendable {
    /// One endpoint as it was told.
    struct Endpoint: Sendable {
        /// Its number.
        let id: Int
        /// The place of its pool.
        var pool: Int
        /// What does not change from second to second.
        var snapshot: EndpointSnapshot
        /// Its numbers.
        var row: LiveRow
        /// The adapters that are in use.
        var adapters: [String] = []
        /// Why it is ejected, as it was told; `nil` when it is not.
        var outage: EndpointOutage?
        /// The look that saw it last.
        fileprivate var look: Int
    }

    /// What makes an endpoint the same one.
    private struct Key: Hashable {
        let pool: PoolID
        let id: EndpointID
        let address: EndpointAddress
    }

    /// The models of a pool.
    private struct Models {
        let served: ServedModels
        let names: [String]
    }

    /// The last minutes.
    var history = LiveHistory()
    private var endpoints: [Key: Endpoint] = [:]
    private var models: [PoolID: Models] = [:]
    private var pools: [PoolID] = []
    private var nextID = 0
    private var look = 0

    /// All endpoints by number.
    var all: [Endpoint] { endpoints.values.sorted { $0.id < $1.id } }

    /// Everything, as changes since nothing.
    var everything: LiveChanges {
        var changes = LiveChanges()
        for endpoint in all {
            changes.rows.append((endpoint.id, endpoint.row))
            if !endpoint.adapters.isEmpty { changes.adapters.append((endpoint.id, endpoint.adapters)) }
            if let outage = endpoint.outage { changes.ejections.append((endpoint.id, outage)) }
        }
        for (place, pool) in pools.enumerated() { changes.models[place] = models[pool]?.names ?? [] }
        return changes
    }

    /// Looks at the pools as they are at `now`.
    ///
    /// - Parameter staleness: how old metrics may be.
    /// - Returns: what changed since the last look.
    mutating func look(at readings: [PoolReading], now: MonotonicInstant, staleness: Duration) -> LiveChanges {
        var changes = LiveChanges()
        look += 1
        pools = readings.map(\.id)
        for (place, reading) in readings.enumerated() {
            lookAtModels(of: reading, place, &changes)
            let outages = Dictionary(reading.view.outages.map { ($0.id, $0) }) { first, _ in first }
            for snapshot in reading.view.endpoints {
                let outage = outages.isEmpty ? nil : outages[snapshot.id]
                let row = LiveRow(snapshot, in: reading, outage: outage, now: now, staleness: staleness)
                look(at: snapshot, place, reading.id, row: row, outage: outage, now: now, &changes)
            }
        }
        for (key, endpoint) in endpoints where endpoint.look != look {
            changes.removed.append(endpoint.id)
            endpoints[key] = nil
        }
        changes.removed.sort()
        models = models.filter { pools.contains($0.key) }
        return changes
    }

    private mutating func lookAtModels(of reading: PoolReading, _ place: Int, _ changes: inout LiveChanges) {
        let served = reading.view.models
        let known = models[reading.id]
        if let known, served.hasSameNames(as: known.served) { return }
        let names = served.union().map(\.id)
        models[reading.id] = Models(served: served, names: names)
        if names != known?.names { changes.models[place] = names }
    }

    private mutating func look(
        at snapshot: EndpointSnapshot,
        _ place: Int,
        _ pool: PoolID,
        row: LiveRow,
        outage: EndpointOutage?,
        now: MonotonicInstant,
        _ changes: inout LiveChanges
    ) {
        let key = Key(pool: pool, id: snapshot.id, address: snapshot.address)
        let adapters = snapshot.metrics.activeModels
        let isKnown = endpoints[key] != nil
        if !isKnown { nextID += 1 }
        var endpoint =
            endpoints[key] ?? Endpoint(id: nextID - 1, pool: place, snapshot: snapshot, row: row, look: look)
        if !isKnown || endpoint.pool != place || endpoint.snapshot.labels != snapshot.labels {
            changes.added.append(endpoint.id)
        }
        if !isKnown || endpoint.row != row { changes.rows.append((endpoint.id, row)) }
        if endpoint.adapters != adapters { changes.adapters.append((endpoint.id, adapters)) }
        if outage.differs(from: endpoint.outage, at: now) {
            changes.ejections.append((endpoint.id, outage))
            endpoint.outage = outage
        }
        endpoint.pool = place
        endpoint.snapshot = snapshot
        endpoint.row = row
        endpoint.adapters = adapters
        endpoint.look = look
        endpoints[key] = endpoint
    }

    /// The endpoints with these numbers.
    func endpoints(_ ids: [Int]) -> [Endpoint] {
        if ids.isEmpty { return [] }
        let wanted = Set(ids)
        return all.filter { wanted.contains($0.id) }
    }
}

extension EndpointOutage? {
    /// Whether readers who know `told` must hear of this one. Each question that is refused makes an ejection longer:
    /// that is told when the time that was told has come.
    fileprivate func differs(from told: EndpointOutage?, at now: MonotonicInstant) -> Bool {
        guard let self, let told else { return (self == nil) != (told == nil) }
        return self.reason != told.reason || self.detail != told.detail
            || (self.until != told.until && told.until <= now)
    }
}

extension LiveRow {
    /// Below how many tenths of a second metrics count as just come: how many milliseconds ago is nothing to look at,
    /// and would change each second.
    private static let leastAge = 5

    fileprivate init(
        _ endpoint: EndpointSnapshot,
        in pool: PoolReading,
        outage: EndpointOutage?,
        now: MonotonicInstant,
        staleness: Duration
    ) {
        let metrics = endpoint.metrics
        let age = endpoint.metricsAge(at: now)
        waiting = metrics.waitingQueueSize
        running = metrics.runningRequests
        cacheUsage = Self.percent(metrics.kvCacheUsage)
        hit = pool.hits[endpoint.id].map(Self.percent) ?? -1
        inFlight = endpoint.load.requests
        let tenths = age.map { Int(min($0.fractionalSeconds, 1e9) * 10) }
        self.age = tenths.map { $0 < Self.leastAge ? 0 : $0 } ?? -1
        standing =
            if pool.view.cordoned.contains(endpoint.id) {
                .draining
            } else if outage != nil {
                .ejected
            } else if let age {
                age > staleness ? .stale : .available
            } else {
                .notAsked
            }
    }

    private static func percent(_ share: Double) -> Int {
        share.isFinite ? Int((min(1, max(0, share)) * 100).rounded()) : 0
    }
}
