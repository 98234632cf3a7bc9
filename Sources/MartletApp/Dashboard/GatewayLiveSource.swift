import DataLayer
import FlowControl
import FoundationEssentials
import GatewayCore
import RequestControl
import RequestFormats
import Telemetry

/// What the live feed of a gateway asks: its controller, its metrics, its log of requests.
struct GatewayLiveSource: LiveSource {
    /// What the gateway's front door is, and what can be done at the admin address.
    struct Place: Sendable {
        /// `serve` or `epp`.
        var mode: String
        /// Where clients connect, as URLs, now; empty where a proxy stands in front.
        var listeners: @Sendable () -> [String] = { [] }
        /// Whether requests can be sent from the admin address.
        var hasPlayground = false
    }

    let controller: RequestController
    let readiness: Readiness
    let log: RequestLog
    let hits: CacheHits
    let place: Place
    /// Why the gateway cannot serve; `nil` when it can.
    let obstacle: @Sendable () -> String?
    /// Whether somebody may act.
    let takesActions: Bool
    let startedAt: MonotonicInstant
    let startedAtUnixTime: Double
    let staleness: Duration

    var configuration: AnyObject? { controller.state }

    func traffic() -> TrafficReading {
        let totals = controller.metrics.requests.totals
        var reading = TrafficReading(at: controller.now(), unixTime: Date.now.timeIntervalSince1970)
        reading.requests = totals.requests
        reading.errors = totals.errors
        reading.inFlight = controller.state.pools.reduce(0) { $0 + $1.endpoints.ledger.openLeases }
        reading.waiting = Int(controller.metrics.flowControl.queueSize.series.values.reduce(0) { $0 + $1.value })
        reading.timeToFirstToken = totals.timeToFirstToken
        reading.interTokenLatency = totals.interTokenLatency
        reading.duration = totals.duration
        reading.decision = HistogramTotals(controller.metrics.scheduling.duration)
        reading.promptTokens = totals.inputTokens.sum
        reading.outputTokens = totals.outputTokens.sum
        reading.cachedTokens = totals.cachedTokens.sum
        reading.processorSeconds = ProcessReading.cpuSeconds()
        return reading
    }

    func standing(at now: MonotonicInstant) -> StandingReading {
        StandingReading(
            uptime: now.seconds(since: startedAt),
            isDraining: readiness.isDraining,
            obstacle: obstacle(),
            outcomes: log.counts
        )
    }

    func pools(at now: MonotonicInstant) -> [PoolReading] {
        let state = controller.state
        let shares = hits.shares(at: now)
        let decisions = controller.metrics.scheduling.rewriteDecisions.series
        return state.pools.map { pool in
            var reading = PoolReading(
                id: pool.id, view: pool.endpoints.current, openLeases: pool.endpoints.ledger.openLeases)
            reading.saturation = pool.rooms?.stages(at: now).effective
            reading.queue = pool.flowControl?.statistics()
            reading.hits = shares[pool.id] ?? [:]
            for rule in state.rewrites(of: pool.id)?.rules ?? [] {
                for target in rule.targets { reading.targets["\(rule.rewrite)/\(target.model)"] = 0 }
            }
            for (labels, counter) in decisions {
                let name = "\(labels[0])/\(labels[2])"
                if reading.targets[name] != nil { reading.targets[name, default: 0] += counter.value }
            }
            return reading
        }
    }

    func writeConfiguration(to writer: inout JSONWriter) {
        let state = controller.state
        writer.field("version", BuildInformation.version)
        writer.field("started_at", startedAtUnixTime)
        writer.field("interval_seconds", 1)
        writer.field("mode", place.mode)
        writer.field("actions", takesActions)
        writer.field("playground", place.hasPlayground)
        writer.field("listeners", place.listeners())
        writer.key("pools")
        writer.beginArray()
        for pool in state.pools { Self.write(pool, of: state, to: &writer) }
        writer.endArray()
        writer.key("routes")
        writer.beginArray()
        for (key, table) in state.tables.sorted(by: { $0.key < $1.key }) {
            for row in table.rows.prefix(Self.rowsMax) { Self.write(row, of: key, to: &writer) }
        }
        writer.endArray()
    }

    /// The most routes of a listener that are told of.
    private static let rowsMax = 500

    private static func write(_ pool: PoolRuntime, of state: GatewayState, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("name", pool.id.name)
        writer.field("namespace", pool.id.namespace)
        writer.field("models", pool.endpoints.current.models.union().map(\.id))
        writer.field("flow_control", pool.flowControl != nil)
        writer.rewrites(state.rewrites(of: pool.id)?.rules ?? [])
        writer.endObject()
    }

    private static func write(
        _ row: (host: HostPattern?, match: RouteMatch, rule: RouteRule),
        of key: RouteTableKey,
        to writer: inout JSONWriter
    ) {
        writer.beginObject()
        writer.field("listener", key.text)
        writer.field("host", row.host?.text ?? "*")
        let path = row.match.path.text
        writer.field("path", path.text)
        writer.field("path_kind", path.kind)
        writer.key("headers")
        writer.beginArray()
        for header in row.match.headers {
            writer.beginObject()
            writer.field("name", header.name)
            writer.field("value", header.match.text)
            writer.endObject()
        }
        writer.endArray()
        writer.field("method", row.match.method)
        writer.key("backends")
        writer.beginArray()
        for backend in row.rule.backends {
            writer.beginObject()
            writer.field("pool", backend.pool.name)
            writer.field("namespace", backend.pool.namespace)
            writer.field("weight", backend.weight)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
    }
}

extension RouteTableKey {
    /// The port of a Gateway's listeners; `*` for those of no Gateway.
    fileprivate var text: String {
        switch self {
        case .standalone: "*"
        case .port(let port): String(port)
        }
    }
}

extension TextMatch {
    fileprivate var text: String {
        switch self {
        case .exact(let text): text
        case .regularExpression(let expression): expression.pattern
        }
    }
}

extension PathMatch {
    fileprivate var text: (text: String, kind: String) {
        switch self {
        case .exact(let path): (path, "exact")
        case .prefix(let path): (path, "prefix")
        case .regularExpression(let expression): (expression.pattern, "regex")
        }
    }
}
