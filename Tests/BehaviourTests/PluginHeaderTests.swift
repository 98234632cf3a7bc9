import DataLayer
import GatewayCore
import GatewayTesting
import RequestControl
import Testing

/// Tells in each response where its request went.
private struct Stamper: Filter, ResponseHeaderProcessor {
    static let descriptor = PluginDescriptor(type: "stamper", summary: "Tells where requests went.")

    init() {}
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {}

    func responseFields(of response: ServedResponse) -> [HeaderMutation.Field] {
        [
            .init(name: "x-chosen", value: response.decision.endpoint.id.name),
            .init(name: "x-served", value: response.served ?? "nobody"),
            .init(name: "x-route", value: "stamper"), .init(name: "x-secret", value: "stamper"),
        ]
    }
}

/// What plugins write into the headers of responses.
@Suite(.timeLimit(.minutes(2))) struct PluginHeaderTests {
    @Test(arguments: Door.allCases)
    func pluginsReplaceFieldsOfResponses(door: Door) async throws {
        let answer = EndpointAct.answer(headers: [("x-chosen", "me"), ("x-kept", "1")], body: "ok")
        let pools = [(name: "a", endpoints: [BehaviourEndpoint(name: "a0", acts: [answer])])]
        try await withWorld(door, pools: pools, filters: [Stamper()]) { world in
            let response = try await world.send(.completion("m"))
            #expect(response.headers.filter { $0.name == "x-chosen" }.map(\.value) == ["a0"])
            #expect(response.first("x-kept") == "1" && response.first("x-route") == "stamper")
            #expect(response.body == "ok")
            // A proxy may tell who served; the gateway itself knows.
            let address = world.gateway.store.current.endpoints[0].address.authority
            #expect(response.first("x-served") == (door == .extProc ? "nobody" : address))
        }
    }

    @Test(arguments: Door.allCases)
    func theRouteHasTheLastWord(door: Door) async throws {
        var rule = RouteRule(backends: [RouteBackend(pool: PoolID(name: "a"))])
        rule.responseHeaders = HeaderMutation(set: [.init(name: "X-Route", value: "route")], remove: ["x-secret"])
        let routes = [Route(rules: [(matches: [], rule: rule)])]
        try await withWorld(
            door, pools: [(name: "a", endpoints: [.healthy("a0")])], routes: routes, filters: [Stamper()]
        ) { world in
            let response = try await world.send(.completion("m"))
            #expect(response.headers.filter { $0.name == "x-route" }.map(\.value) == ["route"])
            #expect(response.first("x-secret") == nil && response.first("x-chosen") == "a0")
        }
    }

    @Test(arguments: Door.retrying)
    func anotherAttemptTellsAnotherEndpoint(door: Door) async throws {
        let pools = [(name: "a", endpoints: [BehaviourEndpoint.always("a0", .reset), .healthy("a1")])]
        try await withWorld(door, pools: pools, filters: [Stamper()]) { world in
            let response = try await world.send(.completion("m"))
            #expect(response.first("x-chosen") == "a1")
        }
    }
}
