import BuiltinPlugins
import DataLayer
import GatewayCore
import GatewayTesting
import Scheduling
import Telemetry
import Testing

@testable import RequestControl

/// Requests for which two endpoints work: one that answers and one that computes the prompt.
@Suite struct DisaggregatedExchangeTests {
    /// A gateway whose endpoints `decode` and `first` have the profiles of these names.
    ///
    /// - Parameter lastsToEnd: whether a request's tokens count to its end, as an estimator says; `nil` for none.
    private func gateway(
        lastsToEnd: Bool? = nil,
        decodeWorkers: Int = 1,
        tracer: Tracer? = nil
    ) throws -> GatewayFixture {
        let registry = BuiltinCatalogue.registry()
        var making = PluginContext(clock: SystemMonotonicClock())
        func plugin<Role>(_ type: String, _ parameters: ConfigurationValue? = nil, as: Role.Type) throws -> Role {
            let decoder = ParameterDecoder(value: parameters, path: "parameters")
            let made = try registry.make(type: type, name: type, parameters: decoder, context: &making)
            return try #require(made as? Role)
        }
        _ = try plugin("always-disagg-pd-decider", as: (any Plugin).self)
        let parameters: ConfigurationValue = [
            "profiles": ["prefill": "first"], "deciders": ["prefill": "always-disagg-pd-decider"],
        ]
        let handler = try plugin("disagg-profile-handler", parameters, as: (any ProfileHandler).self)
        let picker = try plugin("max-score-picker", as: (any Picker).self)
        let profiles = try ["decode", "first"].map { role in
            let labels: ConfigurationValue = ["matchLabels": ["role": ConfigurationValue(.string(role))]]
            let filter = try plugin("label-selector-filter", labels, as: (any Filter).self)
            return SchedulingProfile(
                name: role, filters: [NamedFilter(name: role, filter: filter)], pickerName: "p", picker: picker)
        }
        var plugins: [PluginPipeline.Instance] = [.init(name: "h", type: "disagg-profile-handler", plugin: handler)]
        if let lastsToEnd {
            plugins.append(.init(name: "e", type: "estimator", plugin: Estimator(lastsToEnd: lastsToEnd)))
        }
        let pipeline = PluginPipeline(
            plugins: plugins, profiles: profiles, handler: handler, producers: [], slotCount: making.slotCount)
        let decode = (0..<decodeWorkers).map { index in
            EndpointDescription.local("decode\(index)", port: 10 + index, labels: ["role": "decode"])
        }
        return try GatewayFixture(
            pools: [(name: "pool", endpoints: [.local("first", port: 1, labels: ["role": "first"])] + decode)],
            scheduler: Scheduler(pipeline: pipeline),
            tracer: tracer
        )
    }

    /// Requests and tokens in flight on an endpoint.
    private func load(_ name: String, _ gateway: GatewayFixture) -> [Int]? {
        gateway.store.current.endpoints.first { $0.id.name == name }.map { [$0.load.requests, $0.load.tokens] }
    }

    private func begin(_ gateway: GatewayFixture, retrier: RequestExchange.Retrier = .gateway) -> RequestExchange {
        let exchange = RequestExchange(
            controller: gateway.controller, routes: .standalone, request: .completion(), retrier: retrier)
        if case .reply(let reply) = exchange.begin() { Issue.record("refused with \(reply.status)") }
        return exchange
    }

    @Test func theSpansTellHowTheRequestWasDivided() throws {
        let buffer = SpanBuffer(metrics: try TraceMetrics(registry: MetricRegistry()))
        let sampler = Sampler(root: .always, followsParent: true)
        let gateway = try gateway(tracer: Tracer(sampler: sampler, buffer: buffer, wallClock: { 0 }))
        begin(gateway).finish(.completed)
        let spans = buffer.takeBatch()
        let orchestration = try #require(spans.first { $0.name == "gateway.request_orchestration" })
        func attributes(_ name: String) throws -> [SpanAttribute] {
            let found = spans.filter { $0.name == name }
            #expect(found.count == 1 && found.first?.parentSpanID == orchestration.context.spanID, "\(name)")
            return try #require(found.first).attributes
        }
        let picked = try attributes("pick_disagg_profile")
        #expect(picked.contains(SpanAttribute("llm_d.epp.profile_handler.decision", "complete_prefill-decode")))
        #expect(picked.contains(SpanAttribute("llm_d.epp.profile_handler.executed_profiles", 2)))
        let prepared = try attributes("prepare_disaggregation")
        #expect(prepared.contains(SpanAttribute("llm_d.epp.pd.disaggregation_used", .boolean(true))))
        #expect(prepared.contains(SpanAttribute("llm_d.epp.pd.prefill_pod_address", "127.0.0.1")))
        #expect(prepared.contains(SpanAttribute("llm_d.epp.pd.prefill_pod_port", "1")))
        #expect(prepared.contains(SpanAttribute("llm_d.epp.encode.disaggregation_used", .boolean(false))))
        #expect(spans.count { $0.name == "run_scheduler_profile" } == 2)
    }

    /// Of a request of two tokens, by an estimator of seven or none: what both count before and behind the first byte.
    @Test(
        arguments: [
            (nil, [1, 2], [1, 2], [1, 0]), (false, [1, 7], [1, 7], [1, 0]), (true, [1, 7], [1, 7], [1, 7]),
        ] as [(Bool?, [Int], [Int], [Int])])
    func bothCountUntilTheResponseBegins(lastsToEnd: Bool?, decode: [Int], first: [Int], behind: [Int]) throws {
        let gateway = try gateway(lastsToEnd: lastsToEnd)
        let exchange = begin(gateway)
        #expect(load("decode0", gateway) == decode && load("first", gateway) == first)
        #expect(exchange.responseHeadReceived(status: 200, isEventStream: true) == nil)
        exchange.responseStarted()
        exchange.responseBodyReceived([1].span.bytes)
        // The prompt is computed: the prefill worker is done, whatever its profile is called.
        #expect(load("decode0", gateway) == behind && load("first", gateway) == [0, 0])
        exchange.finish(.completed)
        #expect(load("decode0", gateway) == [0, 0] && gateway.openLeases == 0)
        let labels = ["plugin_name": "disagg-profile-handler", "plugin_type": "disagg-profile-handler"]
        #expect(gateway.metric("disagg_decision_total", labels) == 1)
        #expect(gateway.metric("disagg_decision_total", ["model_name": "m", "decision_type": "prefill-decode"]) == 1)
    }

    /// A proxy that tried another decode worker leaves the prefill worker as it is.
    @Test func anotherDecodeWorkerServes() throws {
        let gateway = try gateway(decodeWorkers: 2)
        let exchange = begin(gateway, retrier: .proxy)
        let chosen = load("decode0", gateway) == [1, 2] ? 0 : 1
        exchange.served(by: "127.0.0.1:\(11 - chosen)")
        #expect(load("decode\(chosen)", gateway) == [0, 0] && load("decode\(1 - chosen)", gateway) == [1, 2])
        #expect(load("first", gateway) == [1, 2])
        exchange.finish(.completed)
        #expect(load("first", gateway) == [0, 0] && gateway.openLeases == 0)
        #expect(gateway.metric("disagg_decision_total") == 1)
    }
}

/// Requests that go to another port than that of the endpoint which was picked.
@Suite struct DataParallelExchangeTests {
    /// A proxy reports the port that it was told, which is not that of the rank.
    @Test func aRankIsKnownByItsHostsPrimaryPort() throws {
        let registry = BuiltinCatalogue.registry()
        var making = PluginContext(clock: SystemMonotonicClock())
        func plugin(_ type: String, _ parameters: ConfigurationValue) throws -> any Plugin {
            let decoder = ParameterDecoder(value: parameters, path: "parameters")
            return try registry.make(type: type, name: type, parameters: decoder, context: &making)
        }
        let handler = try plugin("data-parallel-profile-handler", ["primaryPort": 9000]) as? any ProfileHandler
        let picker = try plugin("max-score-picker", ["maxNumOfEndpoints": 2]) as? any Picker
        let pipeline = PluginPipeline(
            plugins: [],
            profiles: [SchedulingProfile(name: "default", pickerName: "p", picker: try #require(picker))],
            handler: try #require(handler),
            producers: [],
            slotCount: making.slotCount
        )
        let ranks = ["127.0.0.1", "127.0.0.2"].map { host in
            EndpointDescription(id: EndpointID(name: host), address: EndpointAddress(host: host, port: 8001))
        }
        let gateway = try GatewayFixture(
            pools: [(name: "pool", endpoints: ranks)], scheduler: Scheduler(pipeline: pipeline))
        let exchange = RequestExchange(
            controller: gateway.controller, routes: .standalone, request: .completion(), retrier: .proxy)
        guard case .send(let reply) = exchange.begin() else { return #expect(Bool(false)) }
        #expect(Set(reply.destinations.map(\.authority)) == ["127.0.0.1:9000", "127.0.0.2:9000"])
        let (first, second) = (reply.pick.endpoints[0], reply.pick.endpoints[1])
        #expect(first.load.requests == 1 && second.load.requests == 0)
        exchange.served(by: "\(first.address.host):9000")
        #expect(first.load.requests == 1 && second.load.requests == 0)
        exchange.served(by: "\(second.address.host):9000")
        #expect(first.load.requests == 0 && second.load.requests == 1)
        exchange.finish(.completed)
        #expect(second.load.requests == 0 && gateway.openLeases == 0)
    }
}

/// Says that every request has seven tokens.
private struct Estimator: LoadEstimator {
    static let descriptor = PluginDescriptor(type: "estimator", summary: "")

    let lastsToEnd: Bool

    init(lastsToEnd: Bool) { self.lastsToEnd = lastsToEnd }
    init(parameters: ParameterDecoder, context: inout PluginContext) { lastsToEnd = false }

    func load(of context: SchedulingContext, on endpoint: EndpointSnapshot) -> LoadEstimate {
        LoadEstimate(tokens: 7, lastsToEnd: lastsToEnd)
    }
}
