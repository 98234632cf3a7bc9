import BuiltinPlugins
import DataLayer
import FlowControl
import GatewayCore
import GatewayTesting
import RequestControl
import Testing

/// What a client sees of each end that flow control gives a request.
struct FlowRow: Sendable {
    /// The label `outcome` of the metric; `nil` for a request that ended while it ran.
    var outcome: FlowOutcome?
    var status: Int
    /// The value of `x-llm-d-request-dropped-reason`.
    var reason: String
    /// The `code` of the body.
    var code: String
    /// How the message begins.
    var message: String
    var hasRetryAfter = true

    static let rejectedCapacity = FlowRow(
        outcome: .rejectedCapacity, status: 429, reason: "rejected-saturated", code: "queue_full",
        message: "request rejected pre-queue: queue at capacity"
    )
    static let rejectedNoEndpoints = FlowRow(
        outcome: .rejectedNoEndpoints, status: 503, reason: "rejected-no-endpoints", code: "no_endpoints",
        message: "no endpoints available: "
    )
    static let evictedNoEndpoints = FlowRow(
        outcome: .evictedNoEndpoints, status: 503, reason: "rejected-no-endpoints", code: "no_endpoints",
        message: "request timed out in queue and no endpoints are available: "
    )
    static let evictedTTL = FlowRow(
        outcome: .evictedTTL, status: 429, reason: "rejected-ttl-expired", code: "queue_timeout",
        message: "request timed out in queue: "
    )
    static let rejectedShuttingDown = FlowRow(
        outcome: .rejectedShuttingDown, status: 503, reason: "rejected-shutting-down", code: "shutting_down",
        message: "flow controller shutting down: ", hasRetryAfter: false
    )
    static let evictedShuttingDown = FlowRow(
        outcome: .evictedShuttingDown, status: 503, reason: "rejected-shutting-down", code: "shutting_down",
        message: "flow controller shutting down: ", hasRetryAfter: false
    )
    static let evicted = FlowRow(
        outcome: nil, status: 429, reason: "evicted", code: "evicted", message: "request evicted by flow control"
    )

    /// Checks the answer to a request that ended so.
    func check(_ response: BehaviourResponse, location: SourceLocation = #_sourceLocation) {
        #expect(response.status == status, sourceLocation: location)
        #expect(response.first("x-llm-d-request-dropped-reason") == reason, sourceLocation: location)
        #expect(response.first("content-type") == "application/json", sourceLocation: location)
        #expect(response.body.contains(#""code":"\#(code)""#), "\(response.body)", sourceLocation: location)
        #expect(response.body.contains(#""message":"\#(message)"#), "\(response.body)", sourceLocation: location)
        let seconds = response.first("retry-after").flatMap { Int($0) }
        if hasRetryAfter {
            #expect(seconds.map { (1...60).contains($0) } ?? false, sourceLocation: location)
        } else {
            #expect(seconds == nil, sourceLocation: location)
        }
    }

    /// Checks the answer, and that it is the only request that ended so.
    func checkOnly(_ response: BehaviourResponse, in world: World, location: SourceLocation = #_sourceLocation) {
        check(response, location: location)
        guard let outcome else { return }
        #expect(world.counted(outcome) == 1, sourceLocation: location)
    }
}

/// How requests of a full pool end, whichever front door they use. Every endpoint takes one request at a time.
@Suite(.timeLimit(.minutes(2))) struct FlowOutcomeTests {
    private let objectives = ["batch": -1, "gold": 10]
    private let gate = ScriptedGate()

    /// A pool whose only endpoint holds its first request until the gate opens.
    private func held(isStream: Bool = false) -> [(name: String, endpoints: [BehaviourEndpoint])] {
        let acts = [EndpointAct.hold(gate, isStream: isStream), .answer(body: "a0")]
        return [(name: "a", endpoints: [BehaviourEndpoint(name: "a0", acts: acts)])]
    }

    private func run(
        _ door: Door,
        _ pools: [(name: String, endpoints: [BehaviourEndpoint])],
        _ change: (inout FlowControlSettings) throws -> Void = { _ in },
        _ body: (World) async throws -> Void
    ) async throws {
        try await withWorld(
            door, pools: pools, detector: FlowPlugins.oneRequestEach, flowControl: FlowPlugins.settings(change),
            objectives: objectives
        ) { world in
            try await body(world)
            #expect(try world.flowControl.statistics().requests == 0)
            #expect(try world.flowControl.statistics().running == 0)
            #expect(world.gateway.metric("flow_control_queue_size") == 0)
            #expect(world.gateway.metric("flow_control_queue_bytes") == 0)
        }
    }

    @Test(arguments: Door.allCases)
    func dispatched(door: Door) async throws {
        try await run(door, held()) { world in
            async let first = world.send(.completion("m"))
            try await world.awaitReceived(1)
            async let second = world.send(.completion("m"))
            try await world.awaitWaiting(1)
            #expect(world.gateway.metric("flow_control_queue_size", ["priority": "0", "model_name": "m"]) == 1)
            world.gateway.clock.advance(by: .seconds(2))
            gate.open()
            let responses = try await (first, second)
            #expect(responses.0.status == 200 && responses.0.body == "halfhalf")
            #expect(responses.1.status == 200 && responses.1.body == "a0")
            #expect(world.counted(.dispatched) == 2)
            #expect(world.gateway.metric("flow_control_request_queue_duration_seconds_sum") == 2)
            #expect(world.gateway.metric("flow_control_dispatch_cycle_duration_seconds_count") > 0)
        }
    }

    @Test(arguments: Door.allCases)
    func rejectedCapacity(door: Door) async throws {
        try await run(door, held(), { $0.maxRequests = 1 }) { world in
            async let first = world.send(.completion("m"))
            try await world.awaitReceived(1)
            async let second = world.send(.completion("m"))
            try await world.awaitWaiting(1)
            FlowRow.rejectedCapacity.checkOnly(try await world.send(.completion("m")), in: world)
            gate.open()
            let statuses = try await (first.status, second.status)
            #expect(statuses == (200, 200))
        }
    }

    @Test(arguments: Door.allCases)
    func rejectedNoEndpointsAndShuttingDown(door: Door) async throws {
        try await run(door, [(name: "a", endpoints: [])], { $0.maxRequests = 1 }) { world in
            async let first = world.send(.completion("m"))
            try await world.awaitWaiting(1)
            FlowRow.rejectedNoEndpoints.checkOnly(try await world.send(.completion("m")), in: world)
            try world.flowControl.shutDown()
            FlowRow.evictedShuttingDown.checkOnly(try await first, in: world)
            FlowRow.rejectedShuttingDown.checkOnly(try await world.send(.completion("m")), in: world)
        }
    }

    @Test(arguments: Door.allCases)
    func evictedTTL(door: Door) async throws {
        try await run(door, held(), { $0.requestTTL = .seconds(30) }) { world in
            async let first = world.send(.completion("m"))
            try await world.awaitReceived(1)
            async let second = world.send(.completion("m"))
            try await world.awaitWaiting(1)
            world.gateway.clock.advance(by: .milliseconds(29_999))
            #expect(try world.flowControl.waitingCount == 1)
            world.gateway.clock.advance(by: .milliseconds(1))
            FlowRow.evictedTTL.checkOnly(try await second, in: world)
            gate.open()
            #expect(try await first.status == 200)
            #expect(world.received.value.count == 1)
        }
    }

    @Test(arguments: Door.allCases)
    func evictedNoEndpoints(door: Door) async throws {
        let settings: (inout FlowControlSettings) -> Void = {
            $0.requestTTL = .seconds(5)
            $0.noEndpointTTL = .seconds(300)
        }
        try await run(door, [(name: "a", endpoints: [])], settings) { world in
            async let first = world.send(.completion("m"))
            try await world.awaitWaiting(1)
            world.gateway.clock.advance(by: .milliseconds(299_999))
            #expect(try world.flowControl.waitingCount == 1)
            world.gateway.clock.advance(by: .milliseconds(1))
            FlowRow.evictedNoEndpoints.checkOnly(try await first, in: world)
        }
    }

    @Test(arguments: Door.allCases)
    func evictedContextCancelled(door: Door) async throws {
        try await run(door, held()) { world in
            async let first = world.send(.completion("m"))
            try await world.awaitReceived(1)
            try await world.door.leave(.completion("m")) { try await world.awaitWaiting(1) }
            try await world.awaitWaiting(0)
            #expect(world.counted(.evictedContextCancelled) == 1)
            gate.open()
            #expect(try await first.status == 200)
            #expect(world.received.value.count == 1)
        }
    }

    @Test(arguments: Door.allCases)
    func evictedBeforeTheResponse(door: Door) async throws {
        try await run(door, held(), { $0.eviction = try FlowPlugins.eviction() }) { world in
            async let batch = world.send(.completion(objective: "batch"))
            try await world.awaitReceived(1)
            let gold = try await world.send(.completion(objective: "gold"))
            #expect(gold.status == 200 && gold.body == "a0")
            FlowRow.evicted.check(try await batch)
            #expect(world.gateway.metric("flow_control_revocations_issued_total", ["priority": "-1"]) == 1)
            #expect(world.gateway.metric("flow_control_revocations_total", ["outcome": "confirmed"]) == 1)
            gate.open()
        }
    }

    @Test(arguments: Door.allCases)
    func evictedWhileItStreams(door: Door) async throws {
        try await run(door, held(isStream: true), { $0.eviction = try FlowPlugins.eviction() }) { world in
            async let batch = world.send(.completion(objective: "batch"))
            try await world.awaitReceived(1)
            let load = try #require(world.gateway.store.current.endpoints.first).load
            // The tokens of a prompt count until the response's first byte.
            while load.requests == 0 || load.tokens > 0 { await Task.yield() }
            let gold = try await world.send(.completion(objective: "gold"))
            #expect(gold.status == 200 && gold.body == "a0")
            let broken = try await batch
            #expect(!broken.isWhole)
            // What the proxy does with the picker's answer in the middle of a response is to break it off.
            if door == .extProc { FlowRow.evicted.check(broken) } else { #expect(broken.body == "half") }
            gate.open()
        }
    }

    /// An objective that the pool does not have counts as none.
    @Test(arguments: Door.allCases)
    func unknownObjectivesWaitWithPriorityZero(door: Door) async throws {
        try await run(door, held()) { world in
            async let first = world.send(.completion("m"))
            try await world.awaitReceived(1)
            async let batch = world.send(.completion(objective: "batch"))
            try await world.awaitWaiting(1)
            async let unknown = world.send(.completion(objective: "platinum"))
            try await world.awaitWaiting(2)
            async let gold = world.send(.completion(objective: "gold"))
            try await world.awaitWaiting(3)
            #expect(try world.flowControl.statistics().bands.map(\.requests) == [1, 1, 1])
            gate.open()
            let statuses = try await (first.status, batch.status, unknown.status, gold.status)
            #expect(statuses == (200, 200, 200, 200))
            let order = world.received.value.map { $0.values("x-llm-d-inference-objective").first }
            #expect(order == [nil, "gold", "platinum", "batch"])
        }
    }

    /// The time that a route allows runs on while a request waits.
    @Test func theTimeOfTheRouteEndsAWait() async throws {
        var rule = RouteRule(backends: [RouteBackend(pool: PoolID(name: "a"))])
        let match = RouteMatch(headers: [NamedMatch(name: "x-patience", match: .exact("none"))])
        let patient = rule
        rule.requestTimeout = .milliseconds(20)
        try await withWorld(
            .reverseProxy, pools: held(),
            routes: [Route(rules: [(matches: [match], rule: rule), (matches: [], rule: patient)])],
            detector: FlowPlugins.oneRequestEach, flowControl: FlowPlugins.settings { _ in }
        ) { world in
            async let first = world.send(.completion("m"))
            try await world.awaitReceived(1)
            let impatient = try await world.send(.completion("m", headers: [(name: "x-patience", value: "none")]))
            #expect(impatient.status == 504)
            #expect(impatient.first("x-llm-d-request-dropped-reason") == "upstream-timeout")
            #expect(impatient.body.contains("waited for its turn"))
            #expect(try world.flowControl.waitingCount == 0)
            gate.open()
            #expect(try await first.status == 200)
            #expect(world.received.value.count == 1)
        }
    }

    /// Nobody of the same priority is ended, nor of one that may not be.
    @Test(arguments: Door.allCases)
    func nobodyIsEvictedForTheSamePriority(door: Door) async throws {
        try await run(door, held(), { $0.eviction = try FlowPlugins.eviction() }) { world in
            async let first = world.send(.completion("m"))
            try await world.awaitReceived(1)
            async let gold = world.send(.completion(objective: "gold"))
            try await world.awaitWaiting(1)
            gate.open()
            let statuses = try await (first.status, gold.status)
            #expect(statuses == (200, 200))
            #expect(world.gateway.metric("flow_control_revocations_issued_total") == 0)
        }
    }
}

/// The flow-control plugins of these tests.
enum FlowPlugins {
    /// Says that an endpoint with a request is full.
    static var oneRequestEach: any SaturationDetector { OneRequestEach() }

    /// The default policies with what `change` changes.
    static func settings(_ change: (inout FlowControlSettings) throws -> Void) throws -> FlowControlSettings {
        let band = FlowControlSettings.Band(
            fairness: try make("global-strict-fairness-policy"),
            ordering: try make("fcfs-ordering-policy")
        )
        var settings = FlowControlSettings(template: band, usageLimit: try make("static-usage-limit-policy"))
        try change(&settings)
        return settings
    }

    /// The policies of eviction.
    static func eviction() throws -> [any EvictionPolicy] {
        [try make("sheddable-eviction-filter"), try make("priority-then-time-eviction-order-policy")]
    }

    private static func make<Role>(_ type: String) throws -> Role {
        var context = PluginContext(clock: SystemMonotonicClock())
        let plugin = try BuiltinCatalogue.registry()
            .make(type: type, name: type, parameters: ParameterDecoder(value: nil), context: &context)
        return try #require(plugin as? Role)
    }
}

/// Counts the requests of the gateway itself; one fills an endpoint.
private struct OneRequestEach: SaturationDetector {
    static let descriptor = PluginDescriptor(type: "one-request-each", summary: "An endpoint with a request is full.")

    init() {}
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func saturation(of candidates: Candidates, now: MonotonicInstant) -> Double {
        if candidates.isEmpty { return 1 }
        let requests = candidates.positions.reduce(0) { $0 + candidates.all[$1].load.requests }
        return Double(requests) / Double(candidates.count)
    }

    func fullness(of endpoint: EndpointSnapshot, adding pending: PendingLoad, now: MonotonicInstant) -> Double? {
        Double(endpoint.load.requests) + pending.requests
    }
}

extension World {
    /// How many requests ended so in flow control.
    func counted(_ outcome: FlowOutcome) -> Double {
        gateway.metric("flow_control_requests_total", ["outcome": outcome.rawValue])
    }
}
