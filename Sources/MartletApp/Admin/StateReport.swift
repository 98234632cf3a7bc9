import DataLayer
import FlowControl
import GatewayCore
import RequestControl
import RequestFormats
import Telemetry

/// The body of `GET /api/state`: what the gateway knows, at this moment.
struct StateReport {
    var writer = JSONWriter()
    let now: MonotonicInstant

    /// Writes the report.
    static func json(controller: RequestController, isDraining: Bool, startedAt: MonotonicInstant) -> [UInt8] {
        var report = StateReport(now: controller.now())
        report.write(controller.state, isDraining: isDraining, startedAt: startedAt)
        return report.writer.bytes
    }

    private init(now: MonotonicInstant) {
        self.now = now
    }

    private mutating func write(_ state: GatewayState, isDraining: Bool, startedAt: MonotonicInstant) {
        writer.beginObject()
        member("version", BuildInformation.version)
        writer.key("uptime_seconds")
        writer.double(now.since(startedAt).fractionalSeconds)
        writer.key("draining")
        writer.boolean(isDraining)
        writer.key("pools")
        writer.beginArray()
        for pool in state.pools { write(pool, of: state) }
        writer.endArray()
        writer.endObject()
    }

    private mutating func write(_ pool: PoolRuntime, of state: GatewayState) {
        let view = pool.endpoints.current
        writer.beginObject()
        member("name", pool.id.name)
        member("namespace", pool.id.namespace)
        writer.key("open_leases")
        writer.integer(pool.endpoints.ledger.openLeases)
        writer.key("available_endpoints")
        writer.integer(view.available.count)
        writer.key("models")
        strings(view.models.union().map(\.id))
        member("endpoint_picker", pool.configuration)
        write(state.objectives(of: pool.id))
        writer.key("rewrites")
        writer.beginArray()
        for rule in state.rewrites(of: pool.id)?.rules ?? [] { write(rule) }
        writer.endArray()
        if let flowControl = pool.flowControl {
            writer.key("queues")
            write(flowControl.statistics(), of: pool)
        }
        writer.key("endpoints")
        writer.beginArray()
        let outages = Dictionary(view.outages.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        let available = Set(view.available.map(\.id))
        for endpoint in view.endpoints {
            write(
                endpoint,
                faults: view.faults[endpoint.id] ?? [:],
                outage: outages[endpoint.id],
                isAvailable: available.contains(endpoint.id),
                isCordoned: view.cordoned.contains(endpoint.id)
            )
        }
        writer.endArray()
        writer.endObject()
    }

    private mutating func write(_ objectives: ObjectiveTable) {
        write("objectives", objectives.named, nameKey: "name")
        write("model_priorities", objectives.ofModels, nameKey: "model")
    }

    private mutating func write(_ key: String, _ priorities: [String: Int], nameKey: String) {
        writer.key(key)
        writer.beginArray()
        for (name, priority) in priorities.sorted(by: { $0.key < $1.key }) {
            writer.beginObject()
            member(nameKey, name)
            writer.key("priority")
            writer.integer(priority)
            writer.endObject()
        }
        writer.endArray()
    }

    private mutating func write(_ rule: ModelRewriteRule) {
        writer.beginObject()
        member("name", rule.rewrite)
        writer.key("models")
        strings(rule.models)
        writer.key("targets")
        writer.beginArray()
        for target in rule.targets {
            writer.beginObject()
            member("model", target.model)
            writer.key("weight")
            writer.integer(target.weight)
            writer.endObject()
        }
        writer.endArray()
        writer.key("sticky_header")
        if let header = rule.stickyHeader { writer.string(header) } else { writer.null() }
        writer.endObject()
    }

    private mutating func write(
        _ endpoint: EndpointSnapshot,
        faults: [String: [ScrapeFault]],
        outage: EndpointOutage?,
        isAvailable: Bool,
        isCordoned: Bool
    ) {
        writer.beginObject()
        member("name", endpoint.id.name)
        member("namespace", endpoint.id.namespace)
        member("address", endpoint.address.authority)
        writer.key("labels")
        writer.beginObject()
        for (name, value) in endpoint.labels.sorted(by: { $0.key < $1.key }) { member(name, value) }
        writer.endObject()
        write(endpoint.metrics)
        writer.key("metrics_age_seconds")
        if let age = endpoint.metricsAge(at: now) { writer.double(age.fractionalSeconds) } else { writer.null() }
        writer.key("attributes")
        writer.beginObject()
        for (key, value) in endpoint.attributes.sorted(by: { $0.key < $1.key }) {
            writer.key(key)
            writer.double(value)
        }
        writer.endObject()
        writer.scrapeFaults(faults)
        writer.key("models")
        if let models = endpoint.models { strings(models) } else { writer.null() }
        writer.key("in_flight")
        writer.integer(endpoint.load.requests)
        writer.key("in_flight_tokens")
        writer.integer(endpoint.load.tokens)
        writer.key("available")
        writer.boolean(isAvailable)
        writer.key("draining")
        writer.boolean(isCordoned)
        writer.key("ejected")
        writer.boolean(outage != nil)
        if let outage { write(outage) }
        writer.endObject()
    }

    private mutating func write(_ metrics: EndpointMetrics) {
        writer.key("metrics")
        writer.beginObject()
        writer.key("waiting")
        writer.integer(metrics.waitingQueueSize)
        writer.key("running")
        writer.integer(metrics.runningRequests)
        writer.key("kv_cache_usage")
        writer.double(metrics.kvCacheUsage)
        writer.key("active_adapters")
        strings(metrics.activeModels)
        writer.key("waiting_adapters")
        strings(metrics.waitingModels)
        writer.key("max_adapters")
        writer.integer(metrics.maxActiveModels)
        writer.key("cache_block_size_tokens")
        writer.integer(metrics.cacheBlockSizeTokens)
        writer.key("cache_blocks")
        writer.integer(metrics.cacheBlockCount)
        writer.endObject()
    }

    private mutating func write(_ outage: EndpointOutage) {
        writer.key("ejection")
        writer.beginObject()
        member("reason", outage.reason.rawValue)
        member("detail", outage.detail)
        writer.key("since_seconds")
        writer.double(now.since(outage.since).fractionalSeconds)
        writer.key("retry_in_seconds")
        writer.double(max(0, outage.until.since(now).fractionalSeconds))
        writer.endObject()
    }

    private mutating func member(_ key: String, _ text: String) {
        writer.key(key)
        writer.string(text)
    }

    private mutating func strings(_ texts: [String]) {
        writer.beginArray()
        for text in texts { writer.string(text) }
        writer.endArray()
    }
}
