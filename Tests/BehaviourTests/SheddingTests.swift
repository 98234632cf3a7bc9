import BuiltinPlugins
import GatewayCore
import GatewayTesting
import Synchronization
import Testing

/// What becomes of requests of negative priority in a full pool, whichever front door they use.
@Suite(.timeLimit(.minutes(2))) struct SheddingTests {
    private let objectives = ["batch": -1, "plain": 0, "gold": 10]
    private let full = EndpointMetrics(waitingQueueSize: 5)

    private func detector(_ type: String) throws -> any SaturationDetector {
        var context = PluginContext(clock: SystemMonotonicClock())
        let plugin = try BuiltinCatalogue.registry()
            .make(type: type, name: type, parameters: ParameterDecoder(value: nil), context: &context)
        return try #require(plugin as? any SaturationDetector)
    }

    private func request(_ objective: String?) -> BehaviourRequest {
        .completion("m", headers: objective.map { [(name: "x-llm-d-inference-objective", value: $0)] } ?? [])
    }

    @Test(arguments: Door.allCases)
    func onlyNegativePrioritiesAreRefusedInAFullPool(door: Door) async throws {
        let pools = [(name: "a", endpoints: [BehaviourEndpoint.healthy("a0")])]
        let detector = try detector("utilization-detector")
        try await withWorld(door, pools: pools, detector: detector, objectives: objectives) { world in
            world.gateway.tell(metrics: full)
            let refused = try await world.send(request("batch"))
            #expect(refused.status == 429)
            #expect(refused.body.contains("system saturated, sheddable request dropped"))
            #expect(refused.body.contains(#""code":"saturated""#))
            #expect(refused.first("retry-after") == "1")
            #expect(refused.first("x-llm-d-request-dropped-reason") == nil)
            #expect(world.received.value.isEmpty)
            for objective in ["plain", "gold", "unknown", nil] {
                let served = try await world.send(request(objective))
                #expect(served.status == 200, "\(objective ?? "no objective")")
            }
            world.gateway.tell(metrics: EndpointMetrics(waitingQueueSize: 4))
            let served = try await world.send(request("batch"))
            #expect(served.status == 200)
        }
    }

    @Test(arguments: Door.allCases)
    func whatIsNotHeardOfDoesNotFillThePool(door: Door) async throws {
        let pools = [(name: "a", endpoints: [BehaviourEndpoint.healthy("a0")])]
        let detector = try detector("utilization-detector")
        try await withWorld(door, pools: pools, detector: detector, objectives: objectives) { world in
            let unheard = try await world.send(request("batch"))
            #expect(unheard.status == 200)
            world.gateway.tell(metrics: full)
            let fresh = try await world.send(request("batch"))
            #expect(fresh.status == 429)
            world.gateway.clock.advance(by: .milliseconds(2001))
            let stale = try await world.send(request("batch"))
            #expect(stale.status == 200)
        }
    }

    @Test(arguments: Door.allCases)
    func anEmptyPoolIsNotAFullOne(door: Door) async throws {
        let detector = try detector("concurrency-detector")
        try await withWorld(
            door,
            pools: [(name: "a", endpoints: [])],
            detector: detector,
            objectives: objectives
        ) { world in
            let response = try await world.send(request("batch"))
            #expect(response.status == 503)
            #expect(response.first("x-llm-d-request-dropped-reason") == "rejected-no-endpoints")
        }
    }

    /// The failure is what the client hears of: its request was admitted.
    @Test(arguments: Door.retrying)
    func aPoolThatFillsUpGetsNoRetries(door: Door) async throws {
        let pools = [(name: "a", endpoints: [BehaviourEndpoint.always("a0", .reset), .healthy("a1")])]
        let detector = FillingUp()
        try await withWorld(door, pools: pools, detector: detector, objectives: objectives) { world in
            let response = try await world.send(request("batch"))
            #expect(response.status == 503)
            #expect(response.first("x-llm-d-request-dropped-reason") == "upstream-failed")
            #expect(world.gateway.attempts.sent == ["a0"])
            let other = try await world.send(request("plain"))
            #expect(other.status == 200 && other.body == "a1")
        }
    }
}

/// Says that the pool is full from the second time on that it is asked.
private final class FillingUp: SaturationDetector {
    static let descriptor = PluginDescriptor(type: "filling-up", summary: "Full from the second question on.")

    private let questions = Atomic<Int>(0)

    init() {}
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func saturation(of candidates: Candidates, now: MonotonicInstant) -> Double {
        questions.wrappingAdd(1, ordering: .relaxed).oldValue == 0 ? 0 : 1
    }
}
