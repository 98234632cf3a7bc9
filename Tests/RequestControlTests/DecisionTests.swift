import GatewayCore
import GatewayTesting
import Scheduling
import Testing

@testable import RequestControl

/// Decisions that are kept, and decisions that are only asked for.
@Suite struct DecisionTests {
    private func gateway(keeping count: Int, ports: [Int] = [1, 2]) throws -> GatewayFixture {
        try GatewayFixture(ports: ports, configuration: RequestControlConfiguration(seed: 1, keptDecisions: count))
    }

    private func run(_ gateway: GatewayFixture, id: String, model: String = "m") -> RequestExchange {
        let request = IncomingRequest.completion(model: model, headers: [("x-request-id", id)])
        let exchange = RequestExchange(controller: gateway.controller, routes: .standalone, request: request)
        _ = exchange.begin()
        return exchange
    }

    @Test func nothingIsKeptUnlessAsked() throws {
        #expect(try gateway(keeping: 0).controller.decisions == nil)
    }

    @Test func theLastDecisionsAreKeptNewestFirst() throws {
        let gateway = try gateway(keeping: 3)
        for number in 1...5 { run(gateway, id: "r\(number)", model: "m\(number)").finish(.completed) }
        let log = try #require(gateway.controller.decisions)
        #expect(log.latest().map(\.requestID) == ["r5", "r4", "r3"])
        #expect(log.latest(2).map(\.model) == ["m5", "m4"])
        #expect(log.latest { $0.model == "m4" }.map(\.requestID) == ["r4"])
        #expect(log.latest(0).isEmpty)
        let last = try #require(log.latest(1).first)
        #expect(last.picked.map(\.name) == ["e0"] && last.servingProfile == "default" && last.rejection == nil)
        #expect(last.pool.name == "pool" && last.attempt == 0 && last.tried.isEmpty)
        #expect(last.trace.endpoints.map(\.id.name) == ["e0", "e1"])
    }

    @Test func everyAttemptIsADecision() throws {
        let gateway = try gateway(keeping: 10)
        let exchange = run(gateway, id: "r")
        _ = exchange.attemptFailed(.connect("refused"))
        _ = exchange.attemptFailed(.connect("refused"))
        let decisions = try #require(gateway.controller.decisions).latest()
        #expect(decisions.map(\.attempt) == [2, 1, 0])
        #expect(decisions.map { $0.tried.map(\.name) } == [["e0", "e1"], ["e0"], []])
        #expect(decisions.map { $0.picked.map(\.name) } == [[], ["e1"], ["e0"]])
        #expect(decisions[0].rejection?.reason == .endpointsDown)
    }

    /// With many endpoints the number of decisions is not what bounds the memory.
    @Test func endpointsBoundTheLogToo() throws {
        let gateway = try gateway(keeping: 100, ports: Array(1...10))
        run(gateway, id: "r").finish(.completed)
        let decision = try #require(gateway.controller.decisions?.latest().first)
        let log = DecisionLog(capacity: 100, maxEndpoints: 35)
        for _ in 0..<50 { log.record(decision) }
        #expect(log.latest().count == 3)
        let narrow = DecisionLog(capacity: 100, maxEndpoints: 5)
        for _ in 0..<3 { narrow.record(decision) }
        #expect(narrow.latest().count == 1)
    }

    /// The log grows as decisions come, also when it begins anywhere in its places.
    @Test func theLogGrowsInTheMiddleOfItsRing() throws {
        let gateway = try gateway(keeping: 100, ports: [1, 2])
        for number in 0..<12 { run(gateway, id: "r\(number)").finish(.completed) }
        let decisions = Array(try #require(gateway.controller.decisions).latest().reversed())
        let log = DecisionLog(capacity: 8, maxEndpoints: 9)
        for decision in decisions.prefix(7) { log.record(decision) }
        #expect(log.latest().map(\.requestID) == ["r6", "r5", "r4", "r3"])
        let free = DecisionLog(capacity: 1_000_000)
        for decision in decisions { free.record(decision) }
        #expect(free.latest().map(\.requestID) == decisions.reversed().map(\.requestID))
    }

    @Test func anExplanationSendsAndCountsNothing() throws {
        let gateway = try gateway(keeping: 10)
        gateway.tell(models: ["m"])
        guard case .decided(let decision) = gateway.controller.explain(.completion(), routes: .standalone) else {
            return #expect(Bool(false))
        }
        #expect(decision.picked.map(\.name) == ["e0"] && decision.inputTokens == 2)
        guard case .decided(let unknown) = gateway.controller.explain(.completion(model: "x"), routes: .standalone)
        else { return #expect(Bool(false)) }
        #expect(unknown.rejection?.reason == .modelNotFound && unknown.picked.isEmpty)
        guard case .refused(let rejection) = gateway.controller.explain(.sample(body: "{"), routes: .standalone) else {
            return #expect(Bool(false))
        }
        #expect(rejection.reason == .invalidRequest)
        #expect(gateway.attempts.sent.isEmpty && gateway.openLeases == 0)
        #expect(gateway.metric("request_total") == 0 && gateway.metric("scheduler_attempts_total") == 0)
        #expect(gateway.controller.decisions?.latest().isEmpty == true)
    }
}
