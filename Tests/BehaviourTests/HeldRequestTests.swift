import DataLayer
import FlowControl
import GatewayCore
import GatewayTesting
import RequestControl
import Testing

/// Requests for a pool that has nobody to serve them now, and those that nobody will ever serve.
@Suite(.timeLimit(.minutes(2))) struct HeldRequestTests {
    private func run(
        _ door: Door,
        _ endpoints: [BehaviourEndpoint] = [.healthy("a0", models: ["m"])],
        _ body: (World) async throws -> Void
    ) async throws {
        try await withWorld(
            door,
            pools: [(name: "a", endpoints: endpoints)],
            detector: FlowPlugins.oneRequestEach,
            flowControl: FlowPlugins.settings { $0.requestTTL = .seconds(5) },
            body
        )
    }

    private func numbered(_ number: Int) -> BehaviourRequest {
        .completion("m", headers: [(name: "x-number", value: "\(number)")])
    }

    /// Sends requests 0, 1, … one behind the other, lets `bring` bring an endpoint, and checks that all are served in
    /// their order.
    private func checkOrder(_ world: World, bring: () async throws -> Void) async throws {
        async let first = world.send(numbered(0))
        try await world.awaitWaiting(1)
        async let second = world.send(numbered(1))
        try await world.awaitWaiting(2)
        async let third = world.send(numbered(2))
        try await world.awaitWaiting(3)
        #expect(world.received.value.isEmpty)
        try await bring()
        let bodies = try await (first.body, second.body, third.body)
        #expect(bodies == ("a0", "a0", "a0"))
        #expect(world.received.value.flatMap { $0.values("x-number") } == ["0", "1", "2"])
        #expect(world.counted(.dispatched) == 3)
    }

    @Test(arguments: Door.allCases)
    func scaleFromZero(door: Door) async throws {
        try await run(door) { world in
            let endpoint = try #require(world.gateway.store.current.endpoints.first)
            world.gateway.store.replaceEndpoints([])
            try await checkOrder(world) {
                // Longer than a request waits in a pool that has endpoints.
                world.gateway.clock.advance(by: .seconds(30))
                world.gateway.store.replaceEndpoints([.local("a0", port: endpoint.address.port)])
            }
        }
    }

    /// From the moment on at which an endpoint comes, the time to wait is that of a pool with endpoints.
    @Test(arguments: Door.allCases)
    func theTimeToWaitStartsAnewWhenThePoolIsNoMoreEmpty(door: Door) async throws {
        let gate = ScriptedGate()
        let endpoint = BehaviourEndpoint(name: "a0", acts: [.hold(gate), .answer(body: "a0")])
        try await run(door, [endpoint]) { world in
            let port = try #require(world.gateway.store.current.endpoints.first).address.port
            world.gateway.store.replaceEndpoints([])
            async let first = world.send(numbered(0))
            try await world.awaitWaiting(1)
            async let second = world.send(numbered(1))
            try await world.awaitWaiting(2)
            world.gateway.clock.advance(by: .seconds(59))
            world.gateway.store.replaceEndpoints([.local("a0", port: port)])
            try await world.awaitReceived(1)
            world.gateway.clock.advance(by: .milliseconds(4_999))
            #expect(try world.flowControl.waitingCount == 1)
            world.gateway.clock.advance(by: .milliseconds(1))
            FlowRow.evictedTTL.checkOnly(try await second, in: world)
            gate.open()
            #expect(try await first.status == 200)
        }
    }

    @Test(arguments: Door.allCases)
    func aPoolWhoseEndpointsAreAllEjectedHoldsThem(door: Door) async throws {
        try await run(door) { world in
            let store = world.gateway.store
            let life = EndpointLife(try #require(store.current.endpoints.first))
            for _ in 0..<2 {
                store.scrapeRefused(life, detail: "connection refused", startedAt: world.gateway.clock.now)
                world.gateway.clock.advance(by: .milliseconds(50))
            }
            #expect(store.current.available.isEmpty)
            try await checkOrder(world) {
                store.scrapeAnswered(life, startedAt: world.gateway.clock.now)
            }
        }
    }

    /// The end of an ejection is nothing that anybody tells: the clock alone wakes those that wait.
    @Test(arguments: Door.allCases)
    func theEndOfAnEjectionLetsThemGo(door: Door) async throws {
        try await run(door) { world in
            let store = world.gateway.store
            let life = EndpointLife(try #require(store.current.endpoints.first))
            for _ in 0..<2 {
                store.scrapeRefused(life, detail: "connection refused", startedAt: world.gateway.clock.now)
            }
            try await checkOrder(world) { world.gateway.clock.advance(by: .seconds(10)) }
        }
    }

    @Test(arguments: Door.allCases)
    func aModelThatNobodyServesWaitsForNobody(door: Door) async throws {
        let gate = ScriptedGate()
        let endpoint = BehaviourEndpoint(name: "a0", acts: [.hold(gate), .answer(body: "a0")], models: ["m"])
        try await run(door, [endpoint]) { world in
            async let first = world.send(numbered(0))
            try await world.awaitReceived(1)
            let unknown = try await world.send(.completion("other"))
            #expect(unknown.status == 404 && unknown.body.contains(#""code":"model_not_found""#))
            gate.open()
            #expect(try await first.status == 200)
        }
    }

    @Test func aSubsetThatAllowsNobodyWaitsForNobody() throws {
        let gateway = try GatewayFixture(
            pools: [(name: "a", endpoints: [.local("a0", port: 8000)])],
            detector: FlowPlugins.oneRequestEach,
            flowControl: FlowPlugins.settings { _ in }
        )
        var request = IncomingRequest.completion()
        request.endpointSubset = EndpointSubset(["10.9.9.9:1"])
        let exchange = RequestExchange(controller: gateway.controller, routes: .standalone, request: request)
        guard case .reply(let reply) = exchange.begin() else {
            Issue.record("the request waits, or is sent")
            return
        }
        #expect(reply.status == 503)
        #expect(reply.headers.contains { $0.value == "rejected-no-endpoints" })
        #expect(gateway.pools[0].flowControl?.waitingCount == 0)
    }

    // MARK: The end of the gateway

    @Test(arguments: Door.closing)
    func whoWaitsAtTheEndOfADrainIsToldSo(door: Door) async throws {
        let pools = [(name: "a", endpoints: [BehaviourEndpoint.always("a0", .hold(ScriptedGate()))])]
        try await withWorld(
            door, pools: pools, detector: FlowPlugins.oneRequestEach, flowControl: FlowPlugins.settings { _ in }
        ) { world in
            let closing = try #require(world.door as? any ClosingDoor)
            async let first = try? world.send(.completion("m"))
            try await world.awaitReceived(1)
            async let second = world.send(.completion("m"))
            try await world.awaitWaiting(1)
            async let third = world.send(.completion("m"))
            try await world.awaitWaiting(2)
            #expect(await closing.drain(timeout: .milliseconds(20)) == false)
            let row = FlowRow.evictedShuttingDown
            row.check(try await second)
            row.check(try await third)
            #expect(await first?.status != 200)
            #expect(world.received.value.count == 1)
            #expect(world.counted(.evictedShuttingDown) == 2 && world.counted(.dispatched) == 1)
        }
    }

    @Test(arguments: Door.closing)
    func whoWaitsWhileADrainGoesOnIsServed(door: Door) async throws {
        let gate = ScriptedGate()
        let endpoint = BehaviourEndpoint(name: "a0", acts: [.hold(gate), .answer(body: "a0")])
        try await run(door, [endpoint]) { world in
            let closing = try #require(world.door as? any ClosingDoor)
            async let first = world.send(numbered(0))
            try await world.awaitReceived(1)
            async let second = world.send(numbered(1))
            try await world.awaitWaiting(1)
            async let isClean = closing.drain(timeout: .seconds(10))
            while await closing.isOpen { await Task.yield() }
            gate.open()
            let statuses = try await (first.status, second.status)
            #expect(statuses == (200, 200))
            await closing.hangUp()
            #expect(await isClean)
        }
    }
}
