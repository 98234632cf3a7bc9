import DataLayer
import GatewayConfiguration
import GatewayCore
import RequestControl
import RequestFormats
import Scheduling
import Telemetry

/// A saved answer of `/api/state`, made into a gateway that decides without a network.
///
/// It knows what the answer tells: endpoints, their metrics, attributes, faults, models and in-flight counts,
/// objectives and rewrites. What plugins remembered of
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
        let rewrites = ModelRewriteTable(savedRules: pools[place])
        let objectives = ObjectiveTable(saved: pools[place])
        // Requests are read before their pool is known, by the parsers of the first one.
        let parsers = RequestParserSet(
            try picker(of: options.configurationPath == nil ? pools[0] : pools[place], options))
        guard state.problems.isEmpty else { throw ConfigurationError(state.problems) }
        return RequestController(
            state: GatewayState(
                tables: [.standalone: RouteTable(everythingTo: runtime.id)],
                pools: [runtime],
                parsers: parsers,
                objectives: [runtime.id: objectives],
                rewrites: rewrites.rules.isEmpty ? [:] : [runtime.id: rewrites]
            ),
            configuration: RequestControlConfiguration(seed: 1),
            metrics: try GatewayMetrics(registry: MetricRegistry()),
            clock: clock
        )
    }

    /// The EndpointPickerConfig that a pool of the state is asked with.
    private static func picker(
        of pool: ParameterDecoder,
        _ options: ExplainOptions
    ) throws -> EndpointPickerConfiguration {
        if let path = options.configurationPath { return try EndpointPickerConfiguration.load(path: path) }
        let written = pool.string("endpoint_picker", default: "")
        if written.isEmpty { return EndpointPickerConfiguration.builtinDefault }
        return try EndpointPickerConfiguration.decode(text: written, file: "endpoint_picker")
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
        let picker = try picker(of: decoder, options)
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

extension ModelRewriteTable {
    /// Reads `rewrites` of a pool of a state.
    fileprivate init(savedRules pool: ParameterDecoder) {
        self.init(
            pool.objects("rewrites").compactMap { rule in
                let targets = rule.objects("targets").map { target in
                    ModelRewriteRule.Target(
                        model: target.requiredString("model"),
                        weight: target.int("weight", default: 1, in: 1...1_000_000)
                    )
                }
                if targets.isEmpty { rule.report("there must be at least one target", at: "targets") }
                let (name, models) = (rule.requiredString("name"), rule.strings("models"))
                let header = rule.string("sticky_header")
                guard !targets.isEmpty else { return nil }
                return ModelRewriteRule(rewrite: name, models: models, targets: targets, stickyHeader: header)
            }
        )
    }
}

extension ObjectiveTable {
    /// Reads `objectives` and `model_priorities` of a pool of a state.
    fileprivate init(saved pool: ParameterDecoder) {
        self.init()
        for objective in pool.objects("objectives") {
            named[objective.requiredString("name")] = objective.requiredInt("priority")
        }
        for model in pool.objects("model_priorities") {
            ofModels[model.requiredString("model")] = model.requiredInt("priority")
        }
    }
}
