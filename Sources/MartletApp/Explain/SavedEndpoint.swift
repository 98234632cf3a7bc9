import DataLayer
import GatewayCore
import Telemetry

/// One endpoint of a state.
struct SavedEndpoint {
    /// Who it is.
    let description: EndpointDescription
    private let metrics: EndpointMetrics
    private let metricsAge: Double?
    private let attributes: [AttributeReading]
    private let faults: [String: [ScrapeFault]]
    private let models: [String]?
    private let requests: Int
    private let tokens: Int

    /// Reads an element of `endpoints`.
    init(_ decoder: ParameterDecoder) {
        let authority = decoder.requiredString("address")
        let colon = authority.lastIndex(of: ":") ?? authority.endIndex
        let host = authority[..<colon].filter { $0 != "[" && $0 != "]" }
        description = EndpointDescription(
            id: EndpointID(
                namespace: decoder.string("namespace", default: "default"),
                name: decoder.requiredString("name")
            ),
            address: EndpointAddress(host: host, port: Int(authority[colon...].dropFirst()) ?? 80),
            labels: decoder.stringMap("labels")
        )
        let page = decoder.object("metrics")
        metrics = EndpointMetrics(
            waitingQueueSize: page?.int("waiting") ?? 0,
            runningRequests: page?.int("running") ?? 0,
            kvCacheUsage: page?.double("kv_cache_usage") ?? 0,
            activeModels: page?.strings("active_adapters") ?? [],
            waitingModels: page?.strings("waiting_adapters") ?? [],
            maxActiveModels: page?.int("max_adapters") ?? 0,
            cacheBlockSizeTokens: page?.int("cache_block_size_tokens") ?? 0,
            cacheBlockCount: page?.int("cache_blocks") ?? 0
        )
        metricsAge = decoder.double("metrics_age_seconds", in: 0...1e9)
        attributes = Self.attributes(decoder)
        faults = Self.faults(decoder)
        models = decoder.contains("models") ? decoder.strings("models") : nil
        requests = decoder.int("in_flight", default: 0, in: 0...1_000_000)
        tokens = decoder.int("in_flight_tokens", default: 0, in: 0...(.max))
    }

    private static func attributes(_ decoder: ParameterDecoder) -> [AttributeReading] {
        guard let values = decoder.object("attributes"),
            case .object(let members) = decoder.value("attributes")?.content
        else { return [] }
        return members.compactMap { member in
            values.double(member.key).map { AttributeReading(key: member.key, value: $0) }
        }
    }

    /// Fields and reasons of other releases are left out.
    private static func faults(_ decoder: ParameterDecoder) -> [String: [ScrapeFault]] {
        var faults: [String: [ScrapeFault]] = [:]
        for fault in decoder.objects("scrape_faults") {
            let source = fault.requiredString("source")
            let attribute = fault.string("attribute")
            guard let field = ScrapedField(rawValue: fault.requiredString("field")),
                let reason = ScrapeFaultReason(rawValue: fault.requiredString("reason"))
            else { continue }
            faults[source, default: []].append(ScrapeFault(field, reason, attribute: attribute))
        }
        return faults
    }

    /// Tells `store`, which has the endpoint, what is known of it.
    func fill(_ store: EndpointStore, now: MonotonicInstant) {
        guard let snapshot = store.current.endpoints.first(where: { $0.id == description.id }) else { return }
        let life = EndpointLife(snapshot)
        if let metricsAge {
            store.record(metrics: metrics, for: life, at: now.advanced(by: .seconds(-metricsAge)))
        }
        store.record(attributes: attributes, for: life)
        for (source, faults) in faults.sorted(by: { $0.key < $1.key }) {
            store.record(faults: faults, from: source, for: life)
        }
        if let models { store.record(models: models.map { ServedModel(id: $0, parent: nil, json: []) }, for: life) }
        // The tokens stand with the first request; the others have none.
        for request in 0..<requests { snapshot.load.add(tokens: request == 0 ? tokens : 0) }
    }
}
