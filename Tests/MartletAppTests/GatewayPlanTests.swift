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
