import DataLayer
import FlowControl
import GatewayCore
import RequestFormats

/// One moment as readers are told it.
struct LiveMoment: Sendable {
    /// The figures.
    var figures: LiveFigures
    /// The counts.
    var traffic: TrafficReading
    /// Whether the process serves.
    var standing: StandingReading
    /// The pools.
    var pools: [PoolReading]
    /// What changed at their endpoints.
    var changes: LiveChanges
}

/// Writes the events of the live feed. A thousand endpoints of which each changes every second make a tick of some 25
/// kB: numbers are rounded to what a reader can see, and rows are written as columns.
struct LiveEncoder {
    private var writer = JSONWriter()

    /// The event `hello`: everything.
    ///
    /// - Parameters:
    ///   - state: what readers have been told.
    ///   - moment: the last moment, with everything as its changes.
    ///   - source: writes what comes from the configuration.
    static func hello(_ state: LiveState, _ moment: LiveMoment, source: any LiveSource) -> [UInt8] {
        var encoder = LiveEncoder()
        encoder.writer.beginObject()
        source.writeConfiguration(to: &encoder.writer)
        encoder.writer.key("endpoints")
        encoder.writer.beginArray()
        for endpoint in state.all { encoder.write(endpoint) }
        encoder.writer.endArray()
        encoder.write(state.history)
        encoder.writer.key("tick")
        encoder.write(moment, added: [])
        encoder.writer.endObject()
        return encoder.writer.bytes
    }

    /// The event `tick`: what changed in a second.
    ///
    /// - Parameters:
    ///   - state: tells the facts of endpoints that came.
    ///   - moment: the moment.
    static func tick(_ state: LiveState, _ moment: LiveMoment) -> [UInt8] {
        var encoder = LiveEncoder()
        encoder.write(moment, added: state.endpoints(moment.changes.added))
        return encoder.writer.bytes
    }

    private mutating func write(_ moment: LiveMoment, added: [LiveState.Endpoint]) {
        let (standing, traffic) = (moment.standing, moment.traffic)
        writer.beginObject()
        writer.field("t", rounded(traffic.unixTime, 1_000))
        writer.field("uptime", rounded(standing.uptime, 10))
        writer.field("draining", standing.isDraining)
        writer.field("ready", standing.obstacle == nil && !standing.isDraining)
        writer.field("obstacle", standing.obstacle)
        write(moment.figures)
        writer.object("totals") { writer in
            writer.field("requests", Int(clamping: traffic.requests))
            writer.field("errors", Int(clamping: traffic.errors))
        }
        writer.object("outcomes") { writer in
            for (name, count) in standing.outcomes.sorted(by: { $0.key < $1.key }) { writer.field(name, count) }
        }
        writer.key("pools")
        writer.beginArray()
        for (place, pool) in moment.pools.enumerated() { write(pool, models: moment.changes.models[place]) }
        writer.endArray()
        write(moment.changes, unixTime: traffic.unixTime, now: traffic.at)
        writer.key("added")
        writer.beginArray()
        for endpoint in added { write(endpoint) }
        writer.endArray()
        writer.field("removed", moment.changes.removed)
        writer.endObject()
    }

    private mutating func write(_ endpoint: LiveState.Endpoint) {
        let snapshot = endpoint.snapshot
        writer.beginObject()
        writer.field("id", endpoint.id)
        writer.field("pool", endpoint.pool)
        writer.field("name", snapshot.id.name)
        writer.field("namespace", snapshot.id.namespace)
        writer.field("address", snapshot.address.authority)
        writer.object("labels") { writer in
            for (name, value) in snapshot.labels.sorted(by: { $0.key < $1.key }) { writer.field(name, value) }
        }
        writer.endObject()
    }

    private mutating func write(_ figures: LiveFigures) {
        writer.object("global") { writer in
            writer.field("requests", rounded(figures.requests, 10))
            writer.field("in_flight", figures.inFlight)
            writer.field("waiting", figures.waiting)
            writer.field("errors", rounded(figures.errors, 10))
            writer.field("ttft", figures.timeToFirstToken)
            writer.field("itl", figures.interTokenLatency)
            writer.field("duration", figures.duration)
            writer.field("prompt_tokens", rounded(figures.promptTokens, 1))
            writer.field("output_tokens", rounded(figures.outputTokens, 1))
            writer.field("cache_hit", figures.cacheHit.map { rounded($0, 1_000) })
            writer.key("decision_us")
            if let decision = figures.decision {
                writer.beginObject()
                writer.field("p50", rounded(decision.median * 1e6, 10))
                writer.field("p99", rounded(decision.ninetyNinth * 1e6, 10))
                writer.endObject()
            } else {
                writer.null()
            }
            writer.field("cpu", figures.processors.map { rounded($0, 1_000) })
        }
    }

    private mutating func write(_ history: LiveHistory) {
        writer.object("history") { writer in
            func column(_ name: String, _ value: (LiveFigures) -> Double?) {
                writer.key(name)
                writer.beginArray()
                for figures in history.figures { writer.number(value(figures)) }
                writer.endArray()
            }
            column("t") { rounded($0.unixTime, 1) }
            column("requests") { rounded($0.requests, 10) }
            column("in_flight") { Double($0.inFlight) }
            column("waiting") { Double($0.waiting) }
            column("errors") { rounded($0.errors, 10) }
            column("ttft_p50") { $0.timeToFirstToken.map { rounded($0.median, 10_000) } }
            column("ttft_p99") { $0.timeToFirstToken.map { rounded($0.ninetyNinth, 10_000) } }
            column("itl_p50") { $0.interTokenLatency.map { rounded($0.median, 10_000) } }
            column("itl_p99") { $0.interTokenLatency.map { rounded($0.ninetyNinth, 10_000) } }
            column("prompt_tokens") { rounded($0.promptTokens, 1) }
            column("output_tokens") { rounded($0.outputTokens, 1) }
            column("cache_hit") { $0.cacheHit.map { rounded($0, 1_000) } }
            column("decision_p50") { $0.decision.map { rounded($0.median, 1e7) } }
            column("decision_p99") { $0.decision.map { rounded($0.ninetyNinth, 1e7) } }
            column("cpu") { $0.processors.map { rounded($0, 1_000) } }
        }
    }

    private mutating func write(_ changes: LiveChanges, unixTime: Double, now: MonotonicInstant) {
        writer.object("rows") { writer in
            writer.field("id", changes.rows.map(\.id))
            writer.field("waiting", changes.rows.map(\.row.waiting))
            writer.field("running", changes.rows.map(\.row.running))
            writer.field("kv", changes.rows.map(\.row.cacheUsage))
            writer.field("hit", changes.rows.map(\.row.hit))
            writer.field("in_flight", changes.rows.map(\.row.inFlight))
            writer.field("age", changes.rows.map(\.row.age))
            writer.field("state", changes.rows.map(\.row.standing.rawValue))
        }
        writer.object("adapters") { writer in
            for (id, names) in changes.adapters { writer.field(String(id), names) }
        }
        writer.object("ejections") { writer in
            for (id, outage) in changes.ejections {
                writer.key(String(id))
                guard let outage else {
                    writer.null()
                    continue
                }
                writer.beginObject()
                writer.field("reason", outage.reason.rawValue)
                writer.field("detail", outage.detail)
                writer.field("until", rounded(unixTime + outage.until.seconds(since: now), 10))
                writer.endObject()
            }
        }
    }
}

// The pools.
extension LiveEncoder {
    /// How many flows of a band are told of: those with the most requests.
    private static let flowsMax = 20

    private mutating func write(_ pool: PoolReading, models: [String]?) {
        writer.beginObject()
        writer.field("available", pool.view.available.count)
        writer.field("open_leases", pool.openLeases)
        writer.field("saturation", pool.saturation.map { rounded($0, 1_000) })
        if let models { writer.field("models", models) }
        writer.key("queue")
        if let queue = pool.queue { write(queue) } else { writer.null() }
        writer.object("targets") { writer in
            for (name, count) in pool.targets.sorted(by: { $0.key < $1.key }) {
                writer.field(name, Int(clamping: count))
            }
        }
        writer.endObject()
    }

    private mutating func write(_ queue: FlowStatistics) {
        writer.beginObject()
        writer.field("requests", queue.requests)
        writer.field("bytes", queue.bytes)
        writer.field("max_requests", queue.maxRequests)
        writer.field("max_bytes", queue.maxBytes)
        writer.field("running", queue.running)
        writer.key("bands")
        writer.beginArray()
        for band in queue.bands {
            let flows = band.flows.sorted {
                ($0.waiting, $0.running, $1.fairnessID) > ($1.waiting, $1.running, $0.fairnessID)
            }
            writer.beginObject()
            writer.field("priority", band.priority)
            writer.field("requests", band.requests)
            writer.field("bytes", band.bytes)
            writer.field("max_requests", band.maxRequests)
            writer.flows(flows.prefix(Self.flowsMax))
            writer.field("more_flows", max(0, flows.count - Self.flowsMax))
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
    }
}

/// `value` to the nearest part of one.
private func rounded(_ value: Double, _ parts: Double) -> Double {
    (value * parts).rounded() / parts
}

extension JSONWriter {
    fileprivate mutating func field(_ name: String, _ quantiles: LiveFigures.Quantiles?) {
        key(name)
        guard let quantiles else { return null() }
        beginObject()
        field("p50", rounded(quantiles.median, 10_000))
        field("p90", rounded(quantiles.ninetieth, 10_000))
        field("p99", rounded(quantiles.ninetyNinth, 10_000))
        endObject()
    }
}
