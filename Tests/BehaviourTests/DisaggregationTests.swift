import BuiltinPlugins
import DataLayer
import GatewayConfiguration
import GatewayCore
import GatewayTesting
import Scheduling
import Testing

/// Pools whose endpoints share the work of a request, whichever front door the client uses.
@Suite(.timeLimit(.minutes(2))) struct DisaggregationTests {
    /// A scheduler with the plugins of an EndpointPickerConfig.
    private func scheduler(_ yaml: String) throws -> Scheduler {
        let head = "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n"
        let configuration = try EndpointPickerConfiguration.decode(text: head + yaml, file: "epp.yaml")
        let builder = PipelineBuilder(registry: BuiltinCatalogue.registry())
        let context = PluginContext(clock: SystemMonotonicClock())
        return Scheduler(pipeline: try builder.build(configuration, context: context))
    }

    private static let prefillAndDecode = """
        plugins:
        - {type: disagg-profile-handler, parameters: {deciders: {prefill: always-disagg-pd-decider}}}
        - type: always-disagg-pd-decider
        - {type: label-selector-filter, name: decoders, parameters: {matchLabels: {role: decode}}}
        - {type: label-selector-filter, name: prefillers, parameters: {matchLabels: {role: prefill}}}
        schedulingProfiles:
        - {name: decode, plugins: [{pluginRef: decoders}]}
        - {name: prefill, plugins: [{pluginRef: prefillers}]}
        """

    /// What a client may not say: who works for its request.
    private static let spoofed = [
        (name: "X-Prefiller-Host-Port", value: "evil.example:80"), (name: "x-prefiller-host-port", value: "10.0.0.1:1"),
        (name: "x-encoder-hosts-ports", value: "evil.example:80"),
    ]

    @Test(arguments: Door.allCases)
    func theDecodeWorkerLearnsOfThePrefillWorker(door: Door) async throws {
        let pools = [(name: "a", endpoints: [BehaviourEndpoint.worker("prefill", "p0"), .worker("decode", "d0")])]
        let make = { (_: Int) in try scheduler(Self.prefillAndDecode) }
        try await withWorld(door, pools: pools, scheduler: make) { world in
            let response = try await world.send(.completion("m", headers: Self.spoofed))
            #expect(response.status == 200 && response.body == "d0")
            let received = try #require(world.received.value.first)
            let prefiller = world.gateway.store.current.endpoints.first { $0.id.name == "p0" }?.address.authority
            #expect(received.values("x-prefiller-host-port") == [prefiller])
            #expect(received.values("x-encoder-hosts-ports").isEmpty)
            #expect(world.received.value.count == 1)
            #expect(world.gateway.metric("disagg_decision_total", ["decision_type": "prefill-decode"]) == 1)
        }
    }

    @Test(arguments: Door.allCases)
    func withoutAPrefillWorkerTheDecodeWorkerIsAlone(door: Door) async throws {
        let make = { (_: Int) in try scheduler(Self.prefillAndDecode) }
        let pools = [(name: "a", endpoints: [BehaviourEndpoint.worker("decode", "d0")])]
        try await withWorld(door, pools: pools, scheduler: make) { world in
            let response = try await world.send(.completion("m", headers: Self.spoofed))
            #expect(response.status == 200 && response.body == "d0")
            let received = try #require(world.received.value.first)
            #expect(received.values("x-prefiller-host-port").isEmpty)
            #expect(received.values("x-encoder-hosts-ports").isEmpty)
            #expect(world.gateway.metric("disagg_decision_total", ["decision_type": "decode-only"]) == 1)
        }
    }

    @Test(arguments: Door.allCases)
    func withoutADecodeWorkerTheRequestIsRefused(door: Door) async throws {
        let make = { (_: Int) in try scheduler(Self.prefillAndDecode) }
        let pools = [(name: "a", endpoints: [BehaviourEndpoint.worker("prefill", "p0")])]
        try await withWorld(door, pools: pools, scheduler: make) { world in
            let response = try await world.send(.completion("m"))
            #expect(response.status == 429)
            #expect(response.first("x-llm-d-request-dropped-reason") == "rejected-saturated")
            #expect(response.body.contains("failed to find available decode workers"))
        }
    }

    @Test(arguments: Door.retrying)
    func aRetryNamesThePrefillWorkerAgain(door: Door) async throws {
        var broken = BehaviourEndpoint.worker("decode", "d0")
        broken.acts = [.reset]
        let endpoints = [broken, .worker("decode", "d1"), .worker("prefill", "p0")]
        let make = { (_: Int) in try scheduler(Self.prefillAndDecode) }
        try await withWorld(door, pools: [(name: "a", endpoints: endpoints)], scheduler: make) { world in
            for _ in 0..<4 {
                let response = try await world.send(.completion("m", headers: Self.spoofed))
                #expect(response.body == "d1")
            }
            let prefiller = world.gateway.store.current.endpoints.first { $0.id.name == "p0" }?.address.authority
            for received in world.received.value {
                #expect(received.values("x-prefiller-host-port") == [prefiller])
            }
        }
    }

    @Test(arguments: Door.allCases)
    func aRankIsAskedAtTheHostsPrimaryPort(door: Door) async throws {
        var rank = BehaviourEndpoint.healthy("rank1")
        rank.listedPort = 7001
        let make = { (port: Int) in
            try scheduler("plugins: [{type: data-parallel-profile-handler, parameters: {primaryPort: \(port)}}]")
        }
        try await withWorld(door, pools: [(name: "a", endpoints: [rank])], scheduler: make) { world in
            let headers = [(name: "x-data-parallel-host-port", value: "evil.example:80")]
            let response = try await world.send(.completion("m", headers: headers))
            #expect(response.status == 200 && response.body == "rank1")
            let received = try #require(world.received.value.first)
            #expect(received.values("x-data-parallel-host-port") == ["127.0.0.1:7001"])
        }
    }

    @Test(arguments: Door.allCases)
    func aConditionalRequestIsServedFromACacheOrNot(door: Door) async throws {
        let make = { (_: Int) in
            try scheduler("plugins: [{type: prefix-cache-scorer}]")
        }
        let pools = [(name: "a", endpoints: [BehaviourEndpoint.healthy("a0"), .healthy("a1")])]
        try await withWorld(door, pools: pools, scheduler: make) { world in
            let wish = [(name: "Prefer", value: "respond-async, If-Available")]
            let early = try await world.send(.completion("m", headers: wish))
            #expect(early.status == 412)
            #expect(early.body.contains("no decode worker has the requested KV cache"))
            #expect(world.received.value.isEmpty)
            let first = try await world.send(.completion("m"))
            let second = try await world.send(.completion("m", headers: wish))
            #expect(second.status == 200 && second.body == first.body)
            #expect(world.received.value.last?.values("prefer") == ["respond-async, If-Available"])
        }
    }
}
