import DataLayer
import GatewayConfiguration
import GatewayCore
import RequestControl
import Scheduling
import Telemetry

/// A saved answer of `/api/state`, made into a gateway that decides without a network.
///
/// It knows what the answer tells: endpoints, their metrics, models and in-flight counts. What plugins remembered of
/// earlier requests, such as prompt prefixes and sessions, is not in it.
struct SavedState {
    private let controller: RequestController

    /// Reads the file at `path`.
    ///
    /// - Throws: ``CommandError`` for a file that is no state, for a pool that it does not have, or for a configuration
    ///   that cannot be used.
    init(path: String, _ options: ExplainOptions) throws(CommandError) {
        let bytes = try ExplainApplication.contents(of: path, flag: "--state")
        do {
            let text = String(decoding: bytes, as: UTF8.self)
            let documents = try YAMLDocumentReader().read(text, file: path)
            guard let document = documents.first, documents.count == 1, document["pools"] != nil else {
                throw CommandError("--state '\(path)' is not an answer of /api/state.")
            }
            controller = try Self.controller(ParameterDecoder(value: document), options)
        } catch let error as CommandError {
            throw error
        } catch {
            throw CommandError("\(error)")
        }
    }

    /// Decides about the request with `body`.
    func explain(body: [UInt8], _ options: ExplainOptions) throws(CommandError) -> String {
        let fields = try options.headerFields().map { HeaderMap.Field(name: $0.name, value: $0.value) }
        let request = IncomingRequest(
            method: "POST",
            target: options.target,
            authority: "",
            headers: HeaderMap(fields),
            body: ArrayBody(body),
            receivedAt: controller.now()
        )
        switch controller.explain(request, routes: .standalone) {
        case .refused(let rejection):
            throw CommandError("The request is refused before an endpoint is chosen: \(rejection.message)")
        case .decided(let decision):
            switch options.output {
            case .table: return DecisionTable.text(decision) + "\n"
            case .json:
                return String(decoding: DecisionJSON.document(decision, now: controller.now()), as: UTF8.self) + "\n"
            }
        }
    }

    private static func controller(_ state: ParameterDecoder, _ options: ExplainOptions) throws -> RequestController {
        let pools = state.objects("pools")
        let names = pools.map { $0.requiredString("name") }
        guard let place = options.pool.map(names.firstIndex(of:)) ?? (pools.count == 1 ? 0 : nil) else {
            let known = names.map { "'\($0)'" }.joined(separator: ", ")
            throw CommandError("Say with --pool which pool is asked; the state has \(known.isEmpty ? "none" : known).")
        }
        let clock = SystemMonotonicClock()
        let runtime = try pool(pools[place], clock: clock, options)
        guard state.problems.isEmpty else { throw ConfigurationError(state.problems) }
        return RequestController(
            state: GatewayState(tables: [.standalone: RouteTable(everythingTo: runtime.id)], pools: [runtime]),
            configuration: RequestControlConfiguration(seed: 1),
            metrics: try GatewayMetrics(registry: MetricRegistry()),
            clock: clock
        )
    }

    private static func pool(
        _ decoder: ParameterDecoder,
        clock: any MonotonicClock,
        _ options: ExplainOptions
    ) throws -> PoolRuntime {
        let id = PoolID(
            namespace: decoder.string("namespace", default: "default"),
            name: decoder.requiredString("name")
        )
        let written = decoder.string("endpoint_picker", default: "")
        let picker =
            if let path = options.configurationPath {
                try EndpointPickerConfiguration.load(path: path)
            } else if written.isEmpty {
                EndpointPickerConfiguration.builtinDefault
            } else {
                try EndpointPickerConfiguration.decode(text: written, file: "endpoint_picker")
            }
        // A picker that runs was allowed to; one of a file must be.
        let isAllowed = options.configurationPath == nil || options.allowsExperimentalPlugins
        let builder = PipelineBuilder(registry: options.plugins, allowsExperimental: isAllowed)
        let pipeline = try builder.build(picker, context: PluginContext(clock: clock))
        let store = EndpointStore(pool: id, clock: clock)
        let endpoints = decoder.objects("endpoints").filter { $0.bool("available", default: true) }
            .map(SavedEndpoint.init)
        store.replaceEndpoints(endpoints.map(\.description))
        for endpoint in endpoints { endpoint.fill(store, now: clock.now) }
        return PoolRuntime(id: id, endpoints: store, scheduler: Scheduler(pipeline: pipeline))
    }
}

/// One endpoint of a state.
private struct SavedEndpoint {
    let description: EndpointDescription
    private let metrics: EndpointMetrics
    private let metricsAge: Double?
    private let models: [String]?
    private let requests: Int
    private let tokens: Int

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
        metricsAge = decoder.double("metrics_age_seconds")
        models = decoder.contains("models") ? decoder.strings("models") : nil
        requests = decoder.int("in_flight", default: 0, in: 0...1_000_000)
        tokens = decoder.int("in_flight_tokens", default: 0, in: 0...(.max))
    }

    /// Tells `store`, which has the endpoint, what is known of it.
    func fill(_ store: EndpointStore, now: MonotonicInstant) {
        guard let snapshot = store.current.endpoints.first(where: { $0.id == description.id }) else { return }
        let life = EndpointLife(snapshot)
        if let metricsAge {
            store.record(metrics: metrics, for: life, at: now.advanced(by: .seconds(-metricsAge)))
        }
        if let models { store.record(models: models.map { ServedModel(id: $0, parent: nil, json: []) }, for: life) }
        // The tokens stand with the first request; the others have none.
        for request in 0..<requests { snapshot.load.add(tokens: request == 0 ? tokens : 0) }
    }
}
