import GatewayConfiguration
import GatewayCore
import RequestControl
import Testing

@testable import MartletApp

@Suite("Plans of a gateway")
struct GatewayPlanTests {
    private static let examples =
        String(#filePath.dropLast("Tests/MartletAppTests/GatewayPlanTests.swift".count)) + "Examples"

    private func plan(_ example: String, listen: String? = nil) throws -> GatewayPlan {
        var options = ServeOptions()
        options.listen = listen
        return try GatewayPlan(try ConfigurationSet.load(path: "\(Self.examples)/\(example)"), options: options)
    }

    private func request(_ path: String = "/v1/chat/completions", model: String? = nil) -> IncomingRequest {
        var headers = HeaderMap()
        if let model { headers.append(name: "x-gateway-base-model-name", value: model) }
        return IncomingRequest(
            method: "POST",
            target: path,
            authority: "127.0.0.1:8080",
            headers: headers,
            body: ArrayBody([]),
            receivedAt: MonotonicInstant(nanoseconds: 0)
        )
    }

    @Test("the configuration of the documentation is a gateway")
    func designExample() throws {
        let plan = try plan("design.yaml")
        #expect(plan.listeners.map(\.address) == [BindAddress(host: "0.0.0.0", port: 8080)])
        #expect(plan.pools.map(\.id.name) == ["llama"])
        #expect(plan.pools[0].endpoints.map(\.address.authority) == ["10.0.0.1:8000", "gpu-2.lan:8000"])
        let table = try #require(plan.tables[.port(8080)])
        #expect(table.rule(for: request(model: "llama-3"))?.backends[0].pool == PoolID(name: "llama"))
        #expect(table.rule(for: request(model: "other")) == nil)
    }

    @Test("two pools: the model decides, the rest goes to the catch-all rule")
    func twoPools() throws {
        let plan = try plan("two-pools.yaml")
        let table = try #require(plan.tables[.port(8080)])
        let qwen = try #require(table.rule(for: request(model: "qwen-3")))
        #expect(qwen.backends[0].pool == PoolID(name: "qwen"))
        #expect(qwen.requestTimeout == .seconds(600))
        let other = try #require(table.rule(for: request("/anything")))
        #expect(other.backends[0].pool == PoolID(name: "llama"))
        #expect(other.responseHeaders.set.map(\.name) == ["x-served-by"])
        #expect(plan.pools[1].picker.plugins.count == 4)
        #expect(plan.pools[0].picker.plugins.count == 5)
    }

    @Test("the base models of ConfigMaps are the gateway's")
    func modelMapping() throws {
        func map(_ name: String, _ data: String) -> String {
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: \(name)\n  labels: "
                + "{inference.networking.k8s.io/bbr-managed: 'true'}\ndata: {\(data)}\n---\n"
        }
        let text =
            map("a", "baseModel: llama, adapters: '[sql]'") + map("b", "baseModel: qwen, adapters: '[sql, chat]'")
        let documents = try YAMLDocumentReader().read(text, file: "f.yaml")
        let plan = try GatewayPlan(try ConfigurationSet.decode(documents: documents), options: ServeOptions())
        #expect(plan.modelMapping.baseModel(of: "sql") == "llama")
        #expect(plan.modelMapping.baseModel(of: "chat") == "qwen")
        #expect(plan.warnings.count == 1 && plan.warnings[0].contains("'sql' of ConfigMap default/b"))
    }

    @Test("rewrites and priorities of models, for the gateway and for the endpoint picker")
    func rollout() throws {
        let set = try ConfigurationSet.load(path: "\(Self.examples)/rollout.yaml")
        let pool = PoolID(name: "llama")
        for plan in [
            try plan("rollout.yaml"),
            try GatewayPlan(askedBy: set, picker: .builtinDefault, poolName: "", namespace: "default"),
        ] {
            let table = try #require(plan.rewrites[pool])
            let chat = try #require(table.rule(for: "chat"))
            #expect(chat.targets == [.init(model: "llama-3", weight: 90), .init(model: "llama-4", weight: 10)])
            #expect(chat.rewrite == "chat" && chat.stickyHeader == "x-session-id")
            #expect(table.rule(for: "sql")?.targets == [.init(model: "sql-v7")])
            #expect(table.rule(for: "helpdesk")?.targets == [.init(model: "support-v2")])
            #expect(table.rule(for: "batch")?.rewrite == "batch")
            #expect(table.rule(for: "gpt-5")?.targets == [.init(model: "llama-3")])
            #expect(
                table.models == [
                    "chat", "llama-3", "llama-4", "sql", "sql-v7", "support", "helpdesk", "support-v2", "batch",
                ])
            #expect(plan.objectives == [pool: ObjectiveTable(named: ["batch": -1], ofModels: ["batch": -1])])
            #expect(plan.warnings.isEmpty)
        }
    }

    @Test("an InferenceObjective goes before an InferenceModel of its name")
    func objectiveBesideModel() throws {
        let text = """
            apiVersion: inference.networking.k8s.io/v1
            kind: InferencePool
            metadata: {name: p}
            spec: {selector: {matchLabels: {a: b}}, targetPorts: [{number: 1}]}
            ---
            endpoints: [{name: e, address: 10.0.0.1, port: 1, labels: {a: b}}]
            ---
            apiVersion: llm-d.ai/v1alpha2
            kind: InferenceObjective
            metadata: {name: x}
            spec: {priority: 7, poolRef: {name: p}}
            ---
            apiVersion: inference.networking.x-k8s.io/v1alpha2
            kind: InferenceModel
            metadata: {name: x}
            spec: {modelName: m, criticality: Critical, poolRef: {name: p}}

            """
        let documents = try YAMLDocumentReader().read(text, file: "f.yaml")
        let plan = try GatewayPlan(try ConfigurationSet.decode(documents: documents), options: ServeOptions())
        #expect(plan.objectives == [PoolID(name: "p"): ObjectiveTable(named: ["x": 7], ofModels: ["m": 1])])
        #expect(plan.rewrites.isEmpty && plan.warnings.isEmpty)
    }

    @Test("--listen adds a listener with all routes")
    func listenFlag() throws {
        let plan = try plan("two-pools.yaml", listen: "127.0.0.1:0")
        #expect(plan.listeners.map(\.routes) == [.port(8080), .standalone])
        #expect(plan.tables[.standalone]?.rule(for: request(model: "qwen-3"))?.backends[0].pool.name == "qwen")
    }

    @Test("the short form is one pool")
    func shortForm() throws {
        var options = ServeOptions()
        options.endpoints = ["http://127.0.0.1:8001", "b=http://127.0.0.1:8002"]
        let plan = try GatewayPlan(options: options, simulated: [])
        #expect(plan.listeners.map(\.address) == [BindAddress(host: "127.0.0.1", port: 8080)])
        #expect(plan.pools[0].endpoints.map(\.id.name) == ["endpoint-0", "b"])
        #expect(plan.tables[.standalone]?.rule(for: request())?.backends[0].pool == plan.pools[0].id)
    }

    @Test("a name that is used twice is refused")
    func nameTwice() {
        var options = ServeOptions()
        options.endpoints = ["a=http://127.0.0.1:8001", "a=http://127.0.0.1:8002"]
        let error = #expect(throws: CommandError.self) { try GatewayPlan(options: options, simulated: []) }
        #expect(error?.description.contains("'a' is used twice") == true)
    }
}
