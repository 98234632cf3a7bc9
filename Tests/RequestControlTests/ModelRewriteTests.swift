import DataLayer
import GatewayCore
import GatewayTesting
import Testing

@testable import RequestControl

/// Which model serves, and what clients are told of it.
@Suite struct ModelRewriteTests {
    private typealias Target = ModelRewriteRule.Target

    private func rule(
        _ models: [String],
        _ targets: [String: Int],
        name: String = "rewrite",
        stickyHeader: String? = nil
    ) -> ModelRewriteRule {
        let sorted = targets.sorted { $0.key < $1.key }.map { Target(model: $0.key, weight: $0.value) }
        return ModelRewriteRule(rewrite: name, models: models, targets: sorted, stickyHeader: stickyHeader)
    }

    /// The body that goes to the endpoint, or the status of the reply.
    private func sent(_ gateway: GatewayFixture, _ request: IncomingRequest) -> String {
        let exchange = RequestExchange(controller: gateway.controller, routes: .standalone, request: request)
        defer { exchange.finish(.completed) }
        switch exchange.begin() {
        case .wait: return "nobody waits here"
        case .reply(let reply): return "\(reply.status) " + String(decoding: reply.body, as: UTF8.self)
        case .send(let routing):
            return request.body.withBytes { body in
                var bytes = body.withUnsafeBytes { Array($0) }
                if let change = routing.body { bytes.replaceSubrange(change.range, with: change.bytes) }
                return String(decoding: bytes, as: UTF8.self)
            }
        }
    }

    private func target(_ gateway: GatewayFixture, _ model: String, headers: [(String, String)] = []) -> String {
        let body = sent(gateway, .completion(model: model, headers: headers))
        let suffix = #"","prompt":"hello"}"#
        guard body.hasPrefix(#"{"model":""#), body.hasSuffix(suffix) else { return body }
        return String(body.dropFirst(10).dropLast(suffix.count))
    }

    // MARK: Rules

    @Test func anExactRuleGoesBeforeAGenericOneAndAnOlderBeforeAYounger() throws {
        let gateway = try GatewayFixture(
            ports: [1],
            rewrites: [
                rule([], ["generic": 1], name: "oldest"), rule(["chat", "talk"], ["exact": 1], name: "second"),
                rule(["chat", "sql"], ["late": 1], name: "third"), rule([], ["never": 1], name: "fourth"),
            ]
        )
        #expect(target(gateway, "chat") == "exact" && target(gateway, "talk") == "exact")
        #expect(target(gateway, "sql") == "late")
        #expect(target(gateway, "other") == "generic")
        for (name, model, target) in [
            ("second", "chat", "exact"), ("third", "sql", "late"), ("oldest", "other", "generic"),
        ] {
            let labels = ["model_rewrite_name": name, "model_name": model, "target_model": target]
            #expect(gateway.metric("llm_d_epp_model_rewrite_decisions_total", labels) == 1)
        }
        #expect(gateway.metric("request_total", ["model_name": "chat", "target_model_name": "exact"]) == 1)
    }

    @Test func aRuleMayKeepTheModelAndIsCounted() throws {
        let gateway = try GatewayFixture(ports: [1], rewrites: [rule(["m"], ["m": 1])])
        #expect(target(gateway, "m") == "m")
        #expect(gateway.metric("model_rewrite_decisions_total", ["target_model": "m"]) == 1)
    }

    @Test func otherPoolsAndWhatHasNoModelStayAlone() throws {
        let rules = [rule([], ["t": 1])]
        let others = try GatewayFixture(pools: [("a", [.local("e", port: 1)])], rewrites: ["b": rules])
        #expect(target(others, "m") == "m")
        let gateway = try GatewayFixture(ports: [1], rewrites: rules)
        for (path, body) in [
            ("/generate", #"{"input_ids":[1],"model":"m"}"#), ("/unknown", #"{"model":"m"}"#),
        ] {
            #expect(sent(gateway, .sample("POST", path, body: body)) == body)
        }
        let header = ("content-type", "multipart/form-data; boundary=b")
        let form = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--b--\r\n"
        #expect(sent(gateway, .sample("POST", "/v1/audio/transcriptions", headers: [header], body: form)) == form)
        #expect(gateway.metric("model_rewrite_decisions_total") == 0)
    }

    @Test(arguments: [
        ("/v1/chat/completions", #"{"messages":[{"role":"user","content":"\"model\":\"m\""}], "model" : NAME}"#),
        ("/v1/messages", #"{"model":NAME,"max_tokens":1,"messages":[{"role":"user","content":"m"}]}"#),
        ("/v1/responses", #"{"input":"m","model":NAME}"#), ("/v1/embeddings", #"{"input":"m","model":NAME}"#),
        ("/inference/v1/generate", #"{"token_ids":[1],"model":NAME,"seed":12345678901234567890}"#),
    ])
    func onlyTheBytesOfTheNameChange(path: String, body: String) throws {
        let gateway = try GatewayFixture(ports: [1], rewrites: [rule(["m"], ["target": 1])])
        let request = IncomingRequest.sample("POST", path, body: body.replacing("NAME", with: #""m""#))
        #expect(sent(gateway, request) == body.replacing("NAME", with: #""target""#))
    }

    // MARK: The header

    @Test(arguments: ["x-llm-d-model-name-rewrite", "X-Gateway-Model-Name-Rewrite"])
    func theHeaderPinsATargetOfTheRuleAndNothingElse(name: String) throws {
        let gateway = try GatewayFixture(ports: [1], rewrites: [rule(["chat"], ["new": 1, "old": 1_000_000])])
        #expect(target(gateway, "chat", headers: [(name, "new")]) == "new")
        for other in ["elsewhere", "", "chat", "bad\u{1}name"] {
            #expect(target(gateway, "chat", headers: [(name, other)]) == "old")
        }
        #expect(gateway.metric("model_rewrite_decisions_total", ["target_model": "new"]) == 1)
        // Without a rule it may name any model.
        #expect(target(gateway, "free", headers: [(name, "elsewhere")]) == "elsewhere")
        #expect(target(gateway, "free", headers: [(name, "bad\u{1}name")]).hasPrefix("400 "))
        #expect(gateway.metric("model_rewrite_decisions_total", ["model_name": "free"]) == 0)
    }

    @Test func aRouteMayPinATarget() throws {
        let pinned = HeaderMutation(set: [.init(name: "X-LLM-D-Model-Name-Rewrite", value: "new")])
        let gateway = try GatewayFixture(
            ports: [1],
            rule: { $0.requestHeaders = pinned },
            rewrites: [rule(["chat"], ["new": 1, "old": 1_000_000])]
        )
        #expect(target(gateway, "chat", headers: [("x-llm-d-model-name-rewrite", "old")]) == "new")
        let open = try GatewayFixture(
            ports: [1],
            rule: { $0.requestHeaders = HeaderMutation(remove: ["x-llm-d-model-name-rewrite"]) },
            rewrites: [rule(["chat"], ["new": 1, "old": 1_000_000])]
        )
        #expect(target(open, "chat", headers: [("x-llm-d-model-name-rewrite", "new")]) == "old")
    }

    // MARK: Shares

    private func expectShares(_ counts: [String: Int], _ weights: [String: Int], requests: Int) {
        #expect(counts.values.reduce(0, +) == requests)
        let total = Double(weights.values.reduce(0, +))
        for (model, weight) in weights {
            let share = Double(weight) / total
            let mean = share * Double(requests)
            let deviation = (mean * (1 - share)).squareRoot()
            let count = counts[model] ?? 0
            #expect(abs(Double(count) - mean) <= 3 * deviation, "\(model): \(count) of \(requests), expected \(mean)")
        }
    }

    @Test func aHundredThousandRequestsAreSplitByWeightAlsoBehindAReload() throws {
        let phases = [["new": 1, "old": 9, "rare": 5_000], ["new": 700, "old": 299, "rare": 1]]
        let gateway = try GatewayFixture(ports: [1], rewrites: [rule(["chat"], phases[0])])
        for weights in phases {
            gateway.controller.replaceState(
                GatewayState(
                    tables: gateway.controller.state.tables,
                    pools: gateway.pools,
                    rewrites: [PoolID(name: "pool"): ModelRewriteTable([rule(["chat"], weights)])]
                )
            )
            var counts: [String: Int] = [:]
            for _ in 0..<50_000 {
                let exchange = RequestExchange(
                    controller: gateway.controller, routes: .standalone, request: .completion(model: "chat"))
                guard case .send(let routing) = exchange.begin() else { return #expect(Bool(false)) }
                let name = routing.body.map { String(decoding: $0.bytes.dropFirst().dropLast(), as: UTF8.self) }
                counts[name ?? "", default: 0] += 1
                exchange.finish(.completed)
            }
            expectShares(counts, weights, requests: 50_000)
        }
        let decided = phases[0].keys.map { gateway.metric("model_rewrite_decisions_total", ["target_model": $0]) }
        #expect(decided.reduce(0, +) == 100_000)
    }

    @Test(
        arguments: [
            ["a": 1, "b": 1], ["a": 1_000_000, "b": 1], ["a": 1_000_000, "b": 1_000_000, "c": 1_000], ["a": 1],
            ["a": 90, "b": 9, "c": 1],
        ])
    func drawsAndSessionsFollowTheWeights(weights: [String: Int]) {
        let rule = rule(["chat"], weights, stickyHeader: "x")
        var random = RandomSource(seed: 7)
        var (drawn, sticky): ([String: Int], [String: Int]) = ([:], [:])
        for session in 0..<100_000 {
            drawn[rule.target(&random), default: 0] += 1
            sticky[rule.target(ofSession: "session-\(session)"), default: 0] += 1
        }
        expectShares(drawn, weights, requests: 100_000)
        expectShares(sticky, weights, requests: 100_000)
    }

    // MARK: Sessions

    @Test func sessionsStayWithTheirTarget() throws {
        let rules = [rule(["chat"], ["new": 1, "old": 1], stickyHeader: "X-Session-Id")]
        let gateway = try GatewayFixture(ports: [1], rewrites: rules)
        var targets: Set<String> = []
        for session in 0..<20 {
            let headers = [("x-session-id", "s\(session)")]
            let first = target(gateway, "chat", headers: headers)
            targets.insert(first)
            for _ in 0..<5 { #expect(target(gateway, "chat", headers: headers) == first) }
            let pin = ("x-llm-d-model-name-rewrite", first == "new" ? "old" : "new")
            #expect(target(gateway, "chat", headers: headers + [pin]) == pin.1)
        }
        #expect(targets == ["new", "old"])
        for headers in [[], [("x-session-id", "")]] {
            #expect(Set((0..<40).map { _ in target(gateway, "chat", headers: headers) }) == ["new", "old"])
        }
    }

    @Test func aWeightThatRisesMovesSessionsOnlyToItsTarget() {
        let before = rule(["chat"], ["a": 50, "b": 45, "c": 5], stickyHeader: "x")
        let after = rule(["chat"], ["a": 50, "b": 45, "c": 20], stickyHeader: "x")
        var moved = 0
        for session in 0..<20_000 {
            let (old, new) = (before.target(ofSession: "\(session)"), after.target(ofSession: "\(session)"))
            if old == new { continue }
            moved += 1
            #expect(new == "c")
        }
        // The share of c goes from 5 of 100 to 20 of 115: 0.124 of the sessions, 3 standard deviations about it.
        #expect(abs(Double(moved) - 2_478) < 140)
    }

    @Test func sessionsOfTwoRulesAreIndependent() {
        let first = rule(["chat"], ["a": 1, "b": 1], stickyHeader: "x")
        let same = (0..<10_000).count { session in
            let second = rule(["talk"], ["a": 1, "b": 1], stickyHeader: "x")
            return first.target(ofSession: "\(session)") == second.target(ofSession: "\(session)")
        }
        #expect(abs(same - 5_000) < 150)
    }

    /// Replicas of the gateway, of any build, must agree.
    @Test func theChoiceOfASessionIsFixedForEver() {
        let rule = rule(["chat"], ["llama-3": 90, "llama-4": 10], name: "canary", stickyHeader: "x")
        let chosen = (0..<60).filter { rule.target(ofSession: "session-\($0)") == "llama-4" }
        #expect(chosen == [8, 15, 24, 26, 32, 40, 42])
    }

    // MARK: Endpoints

    @Test func theRequestGoesWhereTheTargetIs() throws {
        let gateway = try GatewayFixture(ports: [1, 2, 3], rewrites: [rule(["chat"], ["adapter": 1])])
        gateway.tell(models: ["base"], names: ["e0", "e2"])
        gateway.tell(models: ["base", "adapter"], names: ["e1"])
        _ = target(gateway, "chat")
        #expect(gateway.attempts.sent == ["e1"])
    }

    @Test func anAdapterThatOnlyMetricsNameIsFoundThere() throws {
        let gateway = try GatewayFixture(ports: [1, 2, 3], rewrites: [rule(["chat"], ["adapter": 1])])
        gateway.tell(models: ["base"])
        let last = gateway.store.current.endpoints[2]
        let metrics = EndpointMetrics(activeModels: ["adapter"])
        gateway.store.record(metrics: metrics, for: EndpointLife(last), at: gateway.clock.now)
        #expect(target(gateway, "chat") == "adapter")
        #expect(gateway.attempts.sent == ["e2"])
    }

    @Test func anUnknownTargetIsNamedBesideTheModel() throws {
        let gateway = try GatewayFixture(ports: [1], rewrites: [rule(["chat"], ["gone": 1])])
        gateway.tell(models: ["base"])
        let reply = target(gateway, "chat")
        #expect(reply.hasPrefix("404 ") && reply.contains(#""code":"model_not_found""#))
        #expect(reply.contains("The model 'chat' is rewritten to 'gone', which does not exist. The pool 'pool' serves"))
        #expect(target(gateway, "other").contains("The model 'other' does not exist."))
    }

    @Test func aPriorityIsThatOfTheObjectiveOrOfTheModel() {
        let table = ObjectiveTable(named: ["gold": 10], ofModels: ["sql": -1])
        #expect(table.priority(of: "gold", model: "sql") == 10)
        #expect(table.priority(of: "", model: "sql") == -1 && table.priority(of: "unknown", model: "sql") == -1)
        #expect(table.priority(of: "", model: "other") == 0)
    }

    // MARK: The model list

    @Test func namesOfExactRulesAreListed() throws {
        let gateway = try GatewayFixture(
            ports: [1, 2],
            rewrites: [
                rule(["chat", "base"], ["base": 1, "later": 1]), rule(["dead"], ["gone": 1]), rule([], ["base": 1]),
            ]
        )
        func get(_ target: String) -> String { sent(gateway, .sample("GET", target)) }
        let alias = #"{"id":"chat","object":"model","created":0,"owned_by":"martlet"}"#
        let dead = alias.replacing("chat", with: "dead")
        gateway.tell(models: ["base"], names: ["e0"])
        let base = #"{"id":"base","object":"model"}"#
        #expect(get("/v1/models") == #"200 {"object":"list","data":[\#(base),\#(alias),\#(dead)]}"#)
        gateway.tell(models: ["base"], names: ["e1"])
        #expect(get("/v1/models") == #"200 {"object":"list","data":[\#(base),\#(alias)]}"#)
        #expect(get("/v1/models/chat") == "200 " + alias)
        #expect(get("/v1/models/base") == "200 " + base)
        #expect(get("/v1/models/dead").hasPrefix("404 "))
    }
}
