import DataLayer
import GatewayCore
import GatewayTesting
import RequestFormats
import Testing

@testable import RequestControl

@Suite struct StepTests {
    private func identity(_ request: IncomingRequest, parsers: RequestParserSet = .standard) -> Result<
        RequestIdentity, Rejection
    > {
        var random = RandomSource(seed: 1)
        do throws(Rejection) {
            return .success(try RequestIdentity(request, parsers: parsers, limits: GatewayLimits(), random: &random))
        } catch {
            return .failure(error)
        }
    }

    private func rejection(_ request: IncomingRequest, parsers: RequestParserSet = .standard) -> Rejection? {
        if case .failure(let rejection) = identity(request, parsers: parsers) { rejection } else { nil }
    }

    // MARK: RequestIdentity

    @Test func theControlsOfTheHeaderAreRead() throws {
        let request = IncomingRequest.sample(
            headers: [
                ("X-Request-ID", "mine"), ("x-gateway-inference-objective", "old"),
                ("X-LLM-D-Inference-Objective", "new"),
                ("x-gateway-inference-fairness-id", "tenant"),
            ],
            body: #"{"model":"m","prompt":"12345678","stream":true,"max_tokens":9,"cache_salt":"s"}"#
        )
        let identity = try identity(request).get()
        let inference = identity.inferenceRequest(
            request, changedBy: [], target: "m", objectives: ObjectiveTable(), agent: nil
        )
        #expect(identity.hasOwnID && inference.id == "mine")
        #expect(inference.model == "m" && inference.targetModel == "m")
        #expect(inference.objective == "new")
        #expect(inference.fairnessID == "tenant")
        #expect(inference.isStreaming)
        #expect(inference.maxOutputTokens == 9)
        #expect(inference.cacheSalt == "s")
        #expect(inference.inputTokens == 2)
    }

    @Test func theRouteHasTheLastWordOnObjectiveAndFlow() throws {
        let request = IncomingRequest.sample(
            headers: [
                ("x-llm-d-inference-objective", "gold"), ("x-gateway-inference-fairness-id", "somebody else"),
            ],
            body: #"{"model":"m","prompt":"x"}"#
        )
        func inference(_ mutation: HeaderMutation) throws -> InferenceRequest {
            try identity(request).get().inferenceRequest(
                request,
                changedBy: [mutation],
                target: "m",
                objectives: ObjectiveTable(named: ["gold": 10, "plain": 1]),
                agent: nil
            )
        }
        let set = try inference(
            HeaderMutation(set: [
                .init(name: "X-LLM-D-Inference-Objective", value: "plain"),
                .init(name: "x-llm-d-inference-fairness-id", value: "tenant"),
            ])
        )
        #expect(set.priority == 1 && set.objective == "plain" && set.fairnessID == "tenant")
        let removed = try inference(
            HeaderMutation(remove: ["x-llm-d-inference-objective", "x-gateway-inference-fairness-id"])
        )
        #expect(removed.priority == 0 && removed.fairnessID == "default-flow")
    }

    @Test func theSessionsOfAgentsAreFlowsWithOneLabel() throws {
        func flow(_ headers: [(String, String)], agent: String?) throws -> [String] {
            let request = IncomingRequest.sample(headers: headers, body: #"{"model":"m","prompt":"x"}"#)
            let inference = try identity(request).get().inferenceRequest(
                request, changedBy: [], target: "m", objectives: ObjectiveTable(), agent: agent)
            return [inference.fairnessID, inference.fairnessLabel]
        }
        let tenant = [("x-llm-d-inference-fairness-id", "tenant")]
        #expect(try flow(tenant, agent: "session-7") == ["tenant", "tenant"])
        #expect(try flow([], agent: "session-7") == ["session-7", "agent"])
        #expect(try flow([], agent: nil) == ["default-flow", "default-flow"])
    }

    @Test func anIDIsMadeWhenTheClientSendsNone() throws {
        let made = try identity(.completion()).get()
        #expect(!made.hasOwnID)
        let form = try LinearRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
        #expect(form.matches(made.id))
        #expect(try !identity(.completion(headers: [("x-request-id", "")])).get().hasOwnID)
    }

    @Test func onlyPostsAreRead() throws {
        #expect(try identity(.sample("GET", "/v1/completions")).get().model.isEmpty)
        #expect(try identity(.sample("POST", "/v1/unknown", body: "not json")).get().api == .passthrough)
        #expect(rejection(.sample(body: "not json"))?.reason == .invalidRequest)
        #expect(rejection(.sample(body: #"{"prompt":"x"}"#))?.parameter == "model")
        #expect(rejection(.sample(body: #"{"model":"","prompt":"x"}"#))?.parameter == "model")
    }

    @Test func withoutAFallbackOtherPathsAreRefused() throws {
        let parsers = RequestParserSet([.openAI])
        #expect(rejection(.sample("POST", "/other?x"), parsers: parsers)?.message.contains("/other") == true)
        // What is not read needs no parser.
        #expect(try identity(.sample("GET", "/other"), parsers: parsers).get().api == .passthrough)
    }

    @Test(arguments: [#"a\r\nX-Evil: 1"#, #"a\n"#, #"a\u0000b"#, #"\u007f"#, #"a\tb"#])
    func aModelThatIsNoFieldValueIsRefused(name: String) {
        let rejection = rejection(.sample(body: #"{"model":"\#(name)","prompt":"x"}"#))
        #expect(rejection?.reason == .invalidRequest)
        #expect(rejection?.parameter == "model")
    }

    @Test func aModelsNameIsBounded() {
        let name = String(repeating: "m", count: FieldValueFault.bytesMax)
        #expect(rejection(.completion(model: name)) == nil)
        #expect(rejection(.completion(model: name + "m"))?.message.contains("1025 bytes") == true)
    }

    // MARK: Uploads

    private func upload(_ path: String = "/v1/audio/transcriptions", model: String, type: String? = nil)
        -> IncomingRequest
    {
        .sample(
            "POST", path, headers: [("Content-Type", type ?? "multipart/form-data; boundary=\"b\"")],
            body: "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n\0\r\n"
                + "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n\(model)\r\n--b--\r\n"
        )
    }

    @Test func theModelOfAnUploadIsKnown() throws {
        for path in ["/v1/audio/transcriptions", "/v1/audio/translations?x"] {
            let identity = try identity(upload(path, model: "whisper")).get()
            #expect(identity.api == .audio && identity.model == "whisper")
            let inference = identity.inferenceRequest(
                upload(path, model: "whisper"), changedBy: [], target: "whisper", objectives: ObjectiveTable(),
                agent: nil)
            #expect(inference.inputTokens == 0)
        }
        #expect(try identity(upload("/v1/audio/speech", model: "whisper")).get().model.isEmpty)
    }

    @Test func anUploadThatCannotBeReadPasses() throws {
        for model in ["", "a\nb", String(repeating: "m", count: 1_025), String(repeating: "m", count: 100_000)] {
            #expect(try identity(upload(model: model)).get().model.isEmpty)
        }
        for type in ["", "application/json", "multipart/form-data", "multipart/form-data; boundary=c"] {
            #expect(try identity(upload(model: "whisper", type: type)).get().model.isEmpty)
        }
    }

    @Test func anUploadIsRoutedByItsModel() throws {
        let rule = RouteRule(backends: [RouteBackend(pool: PoolID(name: "speech"))])
        let match = RouteMatch(headers: [NamedMatch(name: "x-gateway-model-name", match: .exact("whisper"))])
        let table = RouteTable(listeners: [(host: nil, routes: [Route(rules: [(matches: [match], rule: rule)])])])
        let gateway = try GatewayFixture(pools: [("speech", [.local("e", port: 1)])], tables: [.standalone: table])
        for (model, isRouted) in [("whisper", true), ("other", false), ("", false)] {
            let exchange = RequestExchange(
                controller: gateway.controller, routes: .standalone, request: upload(model: model))
            defer { exchange.finish(.completed) }
            let isSent = if case .send = exchange.begin() { true } else { false }
            #expect(isSent == isRouted)
        }
    }

    // MARK: ModelHeaders

    @Test func aClientsOwnModelHeadersAreOverwritten() throws {
        let gateway = try GatewayFixture(ports: [1])
        gateway.tell(models: ["adapter"], parent: "base")
        let spoofed = IncomingRequest.completion(
            headers: [("x-gateway-model-name", "a"), ("X-GATEWAY-MODEL-NAME", "b"), ("X-Gateway-Base-Model-Name", "c")]
        )
        for (model, base) in [("adapter", "base"), ("unknown", "")] {
            let applied = ModelHeaders(model: model, mapping: ModelMapping(), pools: gateway.pools).applied(to: spoofed)
            #expect(applied.headers.fields.map(\.value) == [model, base])
        }
        let none = ModelHeaders(model: "", mapping: ModelMapping(), pools: gateway.pools)
        #expect(none.applied(to: spoofed).headers.fields.isEmpty)
    }

    @Test func aBaseModelThatIsNoFieldValueIsUnknown() throws {
        let gateway = try GatewayFixture(ports: [1])
        gateway.tell(models: ["adapter"], parent: "base\r\nX-Evil: 1")
        let headers = ModelHeaders(model: "adapter", mapping: ModelMapping(), pools: gateway.pools)
        #expect(headers.mutation.set.map(\.value) == ["adapter", ""])
    }

    @Test func theConfigurationsBaseModelComesBeforeTheEndpoints() throws {
        let gateway = try GatewayFixture(ports: [1])
        gateway.tell(models: ["adapter", "other"], parent: "told")
        let mapping = ModelMapping([.init(source: "m", baseModel: "mapped", adapters: ["adapter"])])
        for (model, base) in [("adapter", "mapped"), ("mapped", "mapped"), ("other", "told"), ("unknown", "")] {
            let headers = ModelHeaders(model: model, mapping: mapping, pools: gateway.pools)
            #expect(headers.mutation.set.map(\.value) == [model, base])
        }
    }

    @Test func routesMatchTheConfigurationsBaseModel() throws {
        let match = RouteMatch(headers: [NamedMatch(name: "x-gateway-base-model-name", match: .exact("llama"))])
        let rule = RouteRule(backends: [RouteBackend(pool: PoolID(name: "pool"))])
        let table = RouteTable(listeners: [(host: nil, routes: [Route(rules: [(matches: [match], rule: rule)])])])
        let gateway = try GatewayFixture(pools: [("pool", [.local("e", port: 1)])], tables: [.standalone: table])
        func isRouted() -> Bool {
            let exchange = RequestExchange(
                controller: gateway.controller, routes: .standalone, request: .completion(model: "sql"))
            defer { exchange.finish(.completed) }
            return if case .send = exchange.begin() { true } else { false }
        }
        #expect(!isRouted())
        let mapping = ModelMapping([.init(source: "m", baseModel: "llama", adapters: ["sql"])])
        gateway.controller.replaceState(
            GatewayState(tables: [.standalone: table], pools: gateway.pools, modelMapping: mapping))
        #expect(isRouted())
    }

    @Test func routesMatchTheBodysModelAndNotTheHeaders() throws {
        let rule = RouteRule(backends: [RouteBackend(pool: PoolID(name: "secret"))])
        let match = RouteMatch(headers: [NamedMatch(name: "x-gateway-model-name", match: .exact("secret"))])
        let table = RouteTable(listeners: [(host: nil, routes: [Route(rules: [(matches: [match], rule: rule)])])])
        let gateway = try GatewayFixture(pools: [("secret", [.local("e", port: 1)])], tables: [.standalone: table])
        func begin(_ request: IncomingRequest) -> Int {
            let exchange = RequestExchange(controller: gateway.controller, routes: .standalone, request: request)
            defer { exchange.finish(.completed) }
            return if case .reply(let reply) = exchange.begin() { reply.status } else { 200 }
        }
        #expect(begin(.completion(model: "secret")) == 200)
        #expect(begin(.completion(model: "open", headers: [("x-gateway-model-name", "secret")])) == 404)
        #expect(begin(.sample("GET", "/x", headers: [("x-gateway-model-name", "secret")])) == 404)
    }

    // MARK: ModelList

    private func list(_ gateway: GatewayFixture, _ target: String, method: String = "GET") throws -> String? {
        let reply = try ModelList.reply(
            to: .sample(method, target), state: gateway.controller.state, routes: .standalone)
        return reply.map { String(decoding: $0.body, as: UTF8.self) }
    }

    @Test func theListJoinsAllReachablePools() throws {
        let backends = ["a", "b"].map { RouteBackend(pool: PoolID(name: $0)) }
        let table = RouteTable(listeners: [
            (host: nil, routes: [Route(rules: [(matches: [], rule: RouteRule(backends: backends))])])
        ])
        let gateway = try GatewayFixture(
            pools: [("a", [.local("a", port: 1)]), ("b", [.local("b", port: 2)]), ("c", [.local("c", port: 3)])],
            tables: [.standalone: table]
        )
        #expect(try list(gateway, "/v1/models") == nil)
        for (pool, models) in [["m1", "m2"], ["m2", "org/m3"], ["hidden"]].enumerated() {
            gateway.tell(models: models, pool: pool)
        }
        let entry = { (id: String) in #"{"id":"\#(id)","object":"model"}"# }
        let all = #"{"object":"list","data":[\#(["m1", "m2", "org/m3"].map(entry).joined(separator: ","))]}"#
        for target in ["/v1/models", "/v1/models/", "/v1/models?x=1"] { #expect(try list(gateway, target) == all) }
        #expect(try list(gateway, "/v1/models", method: "HEAD") == all)
        #expect(try list(gateway, "/v1/models", method: "POST") == nil)
        #expect(try list(gateway, "/v1/modelsx") == nil)
        #expect(try list(gateway, "/v1/models/m2") == entry("m2"))
        #expect(try list(gateway, "/v1/models/org/m3") == entry("org/m3"))
        #expect(try list(gateway, "/v1/models/org%2Fm3") == entry("org/m3"))
        #expect(throws: Rejection.self) { try list(gateway, "/v1/models/hidden") }
    }

    @Test func anUnknownNameIsAnErrorOnlyWhenAllHaveTold() throws {
        let gateway = try GatewayFixture(ports: [1, 2])
        gateway.tell(models: ["m"], names: ["e0"])
        #expect(try list(gateway, "/v1/models/other") == nil)
        gateway.tell(models: ["m"], names: ["e1"])
        #expect(throws: Rejection(.modelNotFound, "The model 'other' does not exist.", parameter: "model")) {
            try list(gateway, "/v1/models/other")
        }
    }

    // MARK: CandidateSelection

    private func candidates(_ gateway: GatewayFixture, _ model: String, tried: [String] = []) -> Result<
        [String], Rejection
    > {
        do throws(Rejection) {
            let found = try CandidateSelection.candidates(
                in: gateway.store.current,
                model: model,
                askedAs: model,
                excluding: tried.map { EndpointID(name: $0) },
                subset: nil,
                pool: PoolID(name: "pool")
            )
            return .success(found.all.map(\.id.name))
        } catch {
            return .failure(error)
        }
    }

    private func reason(_ result: Result<[String], Rejection>) -> Rejection.Reason? {
        if case .failure(let rejection) = result { rejection.reason } else { nil }
    }

    @Test func endpointsWithTheModelArePreferred() throws {
        let gateway = try GatewayFixture(ports: [1, 2, 3])
        #expect(try candidates(gateway, "m").get() == ["e0", "e1", "e2"])
        gateway.tell(models: ["m"], names: ["e0"])
        gateway.tell(models: ["n"], names: ["e1"])
        #expect(try candidates(gateway, "m").get() == ["e0", "e2"])
        #expect(try candidates(gateway, "m", tried: ["e0"]).get() == ["e2"])
        #expect(reason(candidates(gateway, "m", tried: ["e0", "e2"])) == .endpointsDown)
        #expect(try candidates(gateway, "").get() == ["e0", "e1", "e2"])
    }

    @Test func refusals() throws {
        #expect(reason(candidates(try GatewayFixture(ports: []), "m")) == .noEndpoints)
        let gateway = try GatewayFixture(ports: [1])
        gateway.tell(models: (0..<12).map { "m\($0)" })
        guard case .failure(let unknown) = candidates(gateway, "other") else { return #expect(Bool(false)) }
        #expect(unknown.reason == .modelNotFound)
        #expect(unknown.message.hasSuffix("'m8', 'm9' and 2 more."))
    }

    @Test func endpointsThatDrainTakeNoRequest() throws {
        let gateway = try GatewayFixture(ports: [1, 2])
        #expect(gateway.store.setCordoned(true, endpoint: EndpointID(name: "e1")))
        #expect(try candidates(gateway, "m").get() == ["e0"])
        for _ in 0..<3 {
            gateway.store.open(gateway.store.current.endpoints[0], tokens: 1).close(.connectFailed, detail: "no way")
        }
        guard case .failure(let none) = candidates(gateway, "m") else { return #expect(Bool(false)) }
        #expect(none.reason == .endpointsDown)
        let message =
            "None of the 2 endpoints of the pool 'pool' takes requests: default/e0: no way; default/e1: it drains."
        #expect(none.message == message)
    }
}
