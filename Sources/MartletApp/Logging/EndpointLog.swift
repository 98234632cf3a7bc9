import DataLayer
import GatewayCore
import Logging
import Synchronization
import Telemetry

/// A line when an endpoint is ejected, when it is back, and when its pages begin or cease to be wrong; of many like it,
/// only the first few.
final class EndpointLog: Sendable {
    private struct Kind: Hashable {
        let pool: PoolID
        let level: Logger.Level
        let what: String
    }

    private struct State {
        var limiter = RepeatLimiter<Kind>(burst: 10)
        /// What was wrong with the pages of endpoints, by pool, as it was told.
        var faults: [PoolID: [EndpointID: String]] = [:]
    }

    private let logger: Logger
    private let clock: any MonotonicClock
    private let state = Mutex(State())

    init(logger: Logger, clock: any MonotonicClock) {
        self.logger = logger
        self.clock = clock
    }

    /// Tells of a change of an endpoint's health.
    func healthChanged(_ change: EndpointHealthChange, of endpoint: EndpointID, in pool: PoolID) {
        switch change {
        case .ejected(let reason, let detail):
            let metadata: Logger.Metadata = [LogKeys.reason: "\(reason.rawValue)", LogKeys.error: "\(detail)"]
            log(.warning, "endpoint ejected", endpoint, pool, metadata)
        case .onTrial:
            log(.info, "endpoint is tried again", endpoint, pool, [:])
        case .healed:
            log(.notice, "endpoint is back", endpoint, pool, [:])
        }
    }

    /// Tells what became wrong, or right, with the pages of endpoints since the last call. Endpoints that are ejected
    /// are left out: that their pages do not come is no news.
    func look(at pools: [(id: PoolID, view: EndpointStoreView)]) {
        let told = state.withLock { $0.faults }
        var present: [PoolID: [EndpointID: String]] = [:]
        for (pool, view) in pools {
            let out = Set(view.outages.map(\.id))
            var faults = view.faults.filter { !out.contains($0.key) }.mapValues(Self.text)
            for endpoint in out { faults[endpoint] = told[pool]?[endpoint] }
            let before = told[pool] ?? [:]
            for (endpoint, text) in faults where before[endpoint] != text {
                log(.warning, "metrics of an endpoint are incomplete", endpoint, pool, [LogKeys.error: "\(text)"])
            }
            let alive = before.isEmpty ? [] : Set(view.endpoints.map(\.id))
            for endpoint in before.keys where faults[endpoint] == nil && alive.contains(endpoint) {
                log(.notice, "metrics of an endpoint are whole again", endpoint, pool, [:])
            }
            present[pool] = faults
        }
        state.withLock { $0.faults = present }
    }

    /// Tells how many changes got no line of their own, of the kinds whose turn it is, or at the end of all kinds.
    func tellRests(isLast: Bool = false) {
        let rests = state.withLock { isLast ? $0.limiter.allRests() : $0.limiter.rests(at: clock.now) }
        for rest in rests {
            guard let kind = rest.kind else {
                logger.notice("\(rest.count) more changes of endpoints")
                continue
            }
            logger.log(
                level: kind.level,
                "\(rest.count) more like this: \(kind.what)",
                metadata: [LogKeys.pool: "\(kind.pool)", LogKeys.count: .stringConvertible(rest.count)]
            )
        }
    }

    private func log(
        _ level: Logger.Level,
        _ what: String,
        _ endpoint: EndpointID,
        _ pool: PoolID,
        _ metadata: Logger.Metadata
    ) {
        let kind = Kind(pool: pool, level: level, what: what)
        guard logger.logLevel <= level, state.withLock({ $0.limiter.admits(kind, at: clock.now) }) else { return }
        let place: Logger.Metadata = [LogKeys.endpoint: "\(endpoint)", LogKeys.pool: "\(pool)"]
        logger.log(level: level, "\(what)", metadata: place.merging(metadata) { first, _ in first })
    }

    private static func text(_ faults: [String: [ScrapeFault]]) -> String {
        faults.sorted { $0.key < $1.key }.flatMap { source, faults in faults.map { $0.text(source: source) } }
            .joined(separator: ", ")
    }
}
