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
        writer.field("version", BuildInformation.version)
        writer.key("uptime_seconds")
        writer.double(now.since(startedAt).fractionalSeconds)
        writer.field("draining", isDraining)
        writer.key("pools")
        writer.beginArray()
        for pool in state.pools { write(pool, of: state) }
        writer.endArray()
        writer.endObject()
    }

    private mutating func write(_ pool: PoolRuntime, of state: GatewayState) {
        let view = pool.endpoints.current
        writer.beginObject()
        writer.field("name", pool.id.name)
        writer.field("namespace", pool.id.namespace)
        writer.field("open_leases", pool.endpoints.ledger.openLeases)
        writer.field("available_endpoints", view.available.count)
        writer.field("models", view.models.union().map(\.id))
        writer.field("endpoint_picker", pool.configuration)
        write(state.objectives(of: pool.id))
        writer.rewrites(state.rewrites(of: pool.id)?.rules ?? [])
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
            writer.field(nameKey, name)
            writer.field("priority", priority)
            writer.endObject()
        }
        writer.endArray()
    }

    private mutating func write(
        _ endpoint: EndpointSnapshot,
        faults: [String: [ScrapeFault]],
        outage: EndpointOutage?,
        isAvailable: Bool,
        isCordoned: Bool
    ) {
        writer.beginObject()
        writer.field("name", endpoint.id.name)
        writer.field("namespace", endpoint.id.namespace)
        writer.field("address", endpoint.address.authority)
        writer.key("labels")
        writer.beginObject()
        for (name, value) in endpoint.labels.sorted(by: { $0.key < $1.key }) { writer.field(name, value) }
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
        writer.field("models", endpoint.models)
        writer.field("in_flight", endpoint.load.requests)
        writer.field("in_flight_tokens", endpoint.load.tokens)
        writer.field("available", isAvailable)
        writer.field("draining", isCordoned)
        writer.field("ejected", outage != nil)
        if let outage { write(outage) }
        writer.endObject()
    }

    private mutating func write(_ metrics: EndpointMetrics) {
        writer.key("metrics")
        writer.beginObject()
        writer.field("waiting", metrics.waitingQueueSize)
        writer.field("running", metrics.runningRequests)
        writer.key("kv_cache_usage")
        writer.double(metrics.kvCacheUsage)
        writer.field("active_adapters", metrics.activeModels)
        writer.field("waiting_adapters", metrics.waitingModels)
        writer.field("max_adapters", metrics.maxActiveModels)
        writer.field("cache_block_size_tokens", metrics.cacheBlockSizeTokens)
        writer.field("cache_blocks", metrics.cacheBlockCount)
        writer.endObject()
    }

    private mutating func write(_ outage: EndpointOutage) {
        writer.key("ejection")
        writer.beginObject()
        writer.field("reason", outage.reason.rawValue)
        writer.field("detail", outage.detail)
        writer.key("since_seconds")
        writer.double(now.since(outage.since).fractionalSeconds)
        writer.key("retry_in_seconds")
        writer.double(max(0, outage.until.since(now).fractionalSeconds))
        writer.endObject()
    }
}
