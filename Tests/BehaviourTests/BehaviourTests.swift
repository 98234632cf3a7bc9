import GatewayCore
import GatewayTesting
import RequestControl
import Testing

/// What the gateway does for a client, whichever front door the client uses.
@Suite(.timeLimit(.minutes(2))) struct BehaviourTests {
    private func rule(_ pool: String) -> RouteRule {
        RouteRule(backends: [RouteBackend(pool: PoolID(name: pool))])
    }

    private func model(_ name: String) -> RouteMatch {
        RouteMatch(headers: [NamedMatch(name: "x-gateway-model-name", match: .exact(name))])
    }

    // MARK: Routing

    @Test(arguments: Door.allCases)
    func theModelInTheBodyChoosesThePool(door: Door) async throws {
        let routes = [
            Route(rules: [(matches: [model("small")], rule: rule("a")), (matches: [model("large")], rule: rule("b"))])
        ]
        let pools = [
            (name: "a", endpoints: [BehaviourEndpoint.healthy("a0")]), (name: "b", endpoints: [.healthy("b0")]),
        ]
        try await withWorld(door, pools: pools, routes: routes) { world in
            let small = try await world.send(.completion("small"))
            let large = try await world.send(.completion("large"))
            #expect(small.status == 200 && small.body == "a0")
            #expect(large.status == 200 && large.body == "b0")
            let spoofed = [(name: "X-Gateway-Model-Name", value: "large")]
            let still = try await world.send(.completion("small", headers: spoofed))
            #expect(still.body == "a0")
            let nobody = try await world.send(.completion("other", headers: spoofed))
            #expect(nobody.status == 404 && nobody.body.contains(#""code":"route_not_found""#))
        }
    }

    @Test(arguments: Door.allCases)
    func hostsAndPathsChooseThePool(door: Door) async throws {
        let routes = [
            Route(hostnames: [HostPattern("*.example.com")], rules: [(matches: [], rule: rule("a"))]),
            Route(rules: [(matches: [RouteMatch(path: .prefix("/b"))], rule: rule("b"))]),
        ]
        let pools = [
            (name: "a", endpoints: [BehaviourEndpoint.healthy("a0")]), (name: "b", endpoints: [.healthy("b0")]),
        ]
        try await withWorld(door, pools: pools, routes: routes) { world in
            for (authority, target, expected) in [
                ("X.example.com:80", "/b/x", "a0"), ("other.org", "/b/x?y=1", "b0"), ("other.org", "/bx", nil),
            ] as [(String, String, String?)] {
                let request = BehaviourRequest(method: "GET", target: target, authority: authority)
                let response = try await world.send(request)
                #expect(response.status == (expected == nil ? 404 : 200))
                if let expected { #expect(response.body == expected) }
            }
        }
    }

    // MARK: Headers

    @Test(arguments: Door.allCases)
    func headersOfBothWays(door: Door) async throws {
        var changed = rule("a")
        changed.requestHeaders = HeaderMutation(set: [.init(name: "x-tier", value: "gold")], remove: ["x-secret"])
        changed.responseHeaders = HeaderMutation(add: [.init(name: "x-via", value: "martlet")], remove: ["server"])
        let answer = EndpointAct.answer(headers: [("server", "engine"), ("x-kept", "1")], body: "a0")
        let pools = [(name: "a", endpoints: [BehaviourEndpoint(name: "a0", acts: [answer], models: ["m"])])]
        try await withWorld(door, pools: pools, routes: [Route(rules: [(matches: [model("m")], rule: changed)])]) {
            world in
            let headers = [
                (name: "X-Tier", value: "none"), (name: "X-Secret", value: "s"), (name: "X-Kept", value: "2"),
                (name: "x-gateway-base-model-name", value: "spoofed"),
            ]
            let response = try await world.send(.completion("m", headers: headers))
            #expect(response.first("server") == nil)
            #expect(response.first("x-via") == "martlet" && response.first("x-kept") == "1")
            let request = try #require(world.received.value.first)
            #expect(request.values("x-tier") == ["gold"] && request.values("x-secret").isEmpty)
            #expect(request.values("x-kept") == ["2"])
            #expect(request.values("x-gateway-model-name") == ["m"])
            #expect(request.values("x-gateway-base-model-name") == ["m"])
            #expect(request.values("x-request-id").first?.count == 36)
            #expect(request.body == BehaviourRequest.completion("m").body)
        }
    }

    @Test(arguments: Door.allCases)
    func aClientsRequestIDStays(door: Door) async throws {
        try await withWorld(door, pools: [(name: "a", endpoints: [.healthy("a0")])]) { world in
            _ = try await world.send(.completion("m", headers: [(name: "X-Request-Id", value: "mine")]))
            let request = try #require(world.received.value.first)
            #expect(request.values("x-request-id") == ["mine"])
        }
    }

    // MARK: Errors

    @Test(
        arguments: Door.allCases,
        [
            (#"{"prompt":"x"}"#, "model"), (#"{"model":"m""#, nil), (#"{"model":7,"prompt":"x"}"#, "model"),
            (#"{"model":"a\r\nx: y","prompt":"x"}"#, "model"),
        ] as [(String, String?)])
    func bodiesThatTheAPIDoesNotAllow(door: Door, body: (json: String, parameter: String?)) async throws {
        try await withWorld(door, pools: [(name: "a", endpoints: [.healthy("a0")])]) { world in
            let response = try await world.send(BehaviourRequest(body: body.json))
            #expect(response.status == 400)
            #expect(response.first("content-type") == "application/json")
            #expect(response.body.contains(#""type":"invalid_request_error""#))
            if let parameter = body.parameter { #expect(response.body.contains(#""param":"\#(parameter)""#)) }
            #expect(world.received.value.isEmpty)
        }
    }

    @Test(arguments: Door.allCases)
    func nobodyToServe(door: Door) async throws {
        try await withWorld(door, pools: [(name: "a", endpoints: [])]) { world in
            let response = try await world.send(.completion("m"))
            #expect(response.status == 503 && response.first("retry-after") == "1")
            #expect(response.first("x-llm-d-request-dropped-reason") == "rejected-no-endpoints")
        }
    }

    @Test(arguments: Door.allCases)
    func errorsSpeakTheClientsAPI(door: Door) async throws {
        try await withWorld(door, pools: [(name: "a", endpoints: [])]) { world in
            let body = #"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}]}"#
            let response = try await world.send(BehaviourRequest(target: "/v1/messages", body: body))
            #expect(response.status == 503)
            #expect(response.body.hasPrefix(#"{"type":"error","error":{"type":"overloaded_error""#))
        }
    }

    // MARK: Retries

    @Test(arguments: Door.retrying, ["refused", "reset", "dies behind the head", "503"])
    func aFailureBeforeTheFirstByteIsRetriedElsewhere(door: Door, failure: String) async throws {
        var broken = BehaviourEndpoint.always("a0", .reset)
        switch failure {
        case "refused": broken.isListening = false
        case "dies behind the head": broken.acts = [.dieBehindHead]
        case "503": broken.acts = [.answer(status: 503, body: "busy")]
        default: break
        }
        try await withWorld(door, pools: [(name: "a", endpoints: [broken, .healthy("a1")])]) { world in
            let response = try await world.send(.completion("m"))
            #expect(response.status == 200 && response.body == "a1")
            #expect(world.gateway.attempts.sent == ["a0", "a1"])
            #expect(world.gateway.metric("proxy_upstream_retries_total") == 1)
            #expect(world.received.value.last?.body == BehaviourRequest.completion("m").body)
        }
    }

    @Test(arguments: Door.retrying)
    func nothingIsRetriedBehindTheFirstByte(door: Door) async throws {
        let endpoints = [BehaviourEndpoint.always("a0", .dieInBody), .healthy("a1")]
        try await withWorld(door, pools: [(name: "a", endpoints: endpoints)]) { world in
            let response = try await world.send(.completion("m"))
            #expect(response.status == 200 && response.body == "half" && !response.isWhole)
            #expect(world.gateway.attempts.ended.map(\.outcome) == [.resetMidResponse])
        }
    }

    @Test(arguments: Door.retrying)
    func failuresInARowTakeAnEndpointOut(door: Door) async throws {
        let endpoints = [BehaviourEndpoint.always("a0", .reset), .healthy("a1")]
        try await withWorld(door, pools: [(name: "a", endpoints: endpoints)]) { world in
            for _ in 0..<5 {
                let response = try await world.send(.completion("m"))
                #expect(response.body == "a1")
            }
            #expect(world.received.value.count { $0.endpoint == "a0" } == 3)
            #expect(world.gateway.metric("endpoint_ejections_total", ["endpoint": "a0"]) == 1)
        }
    }

    @Test(arguments: Door.retrying)
    func theLastFailureIsTold(door: Door) async throws {
        let pools = [(name: "a", endpoints: [BehaviourEndpoint.always("a0", .reset), .always("a1", .reset)])]
        try await withWorld(door, pools: pools) { world in
            let response = try await world.send(.completion("m"))
            #expect(response.status == 503)
            #expect(response.first("x-llm-d-request-dropped-reason") == "upstream-failed")
            #expect(response.body.contains("without an answer, after 2 attempts"))
        }
        try await withWorld(door, pools: [(name: "a", endpoints: [.always("a0", .answer(status: 503, body: "busy"))])])
        { world in
            let response = try await world.send(.completion("m"))
            #expect(response.status == 503 && response.body == "busy")
        }
    }

    // MARK: Models

    @Test(arguments: Door.allCases)
    func theModelListIsTheGateways(door: Door) async throws {
        let endpoints = [BehaviourEndpoint.healthy("a0", models: ["m1", "m2"]), .healthy("a1", models: ["m2", "m3"])]
        try await withWorld(door, pools: [(name: "a", endpoints: endpoints)]) { world in
            let list = try await world.send(BehaviourRequest(method: "GET", target: "/v1/models"))
            let entries = ["m1", "m2", "m3"].map { #"{"id":"\#($0)","object":"model"}"# }.joined(separator: ",")
            #expect(list.status == 200 && list.body == #"{"object":"list","data":[\#(entries)]}"#)
            let one = try await world.send(BehaviourRequest(method: "GET", target: "/v1/models/m3"))
            #expect(one.status == 200 && one.body == #"{"id":"m3","object":"model"}"#)
            let head = try await world.send(BehaviourRequest(method: "HEAD", target: "/v1/models"))
            #expect(head.status == 200 && head.body.isEmpty)
            let none = try await world.send(BehaviourRequest(method: "GET", target: "/v1/models/m4"))
            #expect(none.status == 404)
            #expect(world.received.value.isEmpty)
        }
    }

    @Test(arguments: Door.allCases)
    func anotherModelServesAndTheClientHearsItsOwnName(door: Door) async throws {
        let target = ModelRewriteRule.Target(model: "llama-4")
        let rules = [ModelRewriteRule(rewrite: "r", models: ["chat"], targets: [target])]
        let json = #"{"choices":[{"text":"\"model\":\"llama-4\"","model":"llama-4"}], "model" : "llama-4"}"#
        let stream = "data: \(json)\n\ndata: {\"model\":\"llama-4\"}\n\ndata: [DONE]\n\n"
        let changed = json.replacing("\"model\" : \"llama-4\"", with: "\"model\" : \"chat\"")
        let acts: [(EndpointAct, String)] = [
            (.answer(headers: [("content-type", "application/json; charset=utf-8")], body: json), changed),
            (
                .answer(headers: [("content-type", "text/event-stream")], body: stream),
                "data: \(changed)\n\ndata: {\"model\":\"chat\"}\n\ndata: [DONE]\n\n"
            ),
            (.answer(headers: [("content-type", "text/plain")], body: json), json),
            (.answer(body: json), json),
            (.answer(headers: [("content-type", "application/json"), ("content-encoding", "gzip")], body: json), json),
            (.answer(status: 400, headers: [("content-type", "application/json")], body: json), changed),
        ]
        let endpoint = BehaviourEndpoint(name: "a0", acts: acts.map(\.0), models: ["llama-4"])
        try await withWorld(door, pools: [(name: "a", endpoints: [endpoint])], rewrites: ["a": rules]) { world in
            for (_, expected) in acts {
                let response = try await world.send(.completion("chat"))
                #expect(response.body == expected && response.isWhole)
                if let length = response.first("content-length") { #expect(length == "\(expected.utf8.count)") }
            }
            #expect(world.received.value.allSatisfy { $0.body == BehaviourRequest.completion("llama-4").body })
            let direct = try await world.send(.completion("llama-4"))
            #expect(direct.body == json)
            let list = try await world.send(BehaviourRequest(method: "GET", target: "/v1/models"))
            #expect(list.body.contains(#"{"id":"chat","object":"model""#))
        }
    }

    @Test(arguments: Door.allCases)
    func modelsAreServedByThoseThatHaveThem(door: Door) async throws {
        let endpoints = [BehaviourEndpoint.healthy("a0", models: ["m1"]), .healthy("a1", models: ["m2"])]
        try await withWorld(door, pools: [(name: "a", endpoints: endpoints)]) { world in
            let second = try await world.send(.completion("m2"))
            #expect(second.body == "a1")
            let unknown = try await world.send(.completion("m3"))
            #expect(unknown.status == 404)
            #expect(unknown.body.contains(#""code":"model_not_found""#))
            #expect(unknown.body.contains("'m1', 'm2'"))
        }
    }
}
