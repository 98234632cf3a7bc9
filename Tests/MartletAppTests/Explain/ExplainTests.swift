import DataLayer
import GatewayCore
import GatewayTesting
import NIOHTTP1
import RequestControl
import RequestFormats
import Telemetry
import Testing

@testable import MartletApp

@Suite struct ExplainTests {
    private let state = """
        {"version":"1","pools":[{"name":"llama","namespace":"default","endpoint_picker":"","endpoints":[
          {"name":"a","namespace":"default","address":"10.0.0.1:8000","labels":{"zone":"x"},"available":true,
           "metrics":{"waiting":5,"running":9,"kv_cache_usage":0.5,"active_adapters":["ad"],"max_adapters":2},
           "metrics_age_seconds":0.25,"models":["m","ad"],"in_flight":2,"in_flight_tokens":100},
          {"name":"b","namespace":"default","address":"[::1]:8001","labels":{},"available":true,
           "metrics":{"waiting":0,"running":1,"kv_cache_usage":0.25},"metrics_age_seconds":1.5,"models":null},
          {"name":"c","address":"10.0.0.3:8000","available":false}
        ]}]}
        """
    private let body = #"{"model":"m","messages":[{"role":"user","content":"hello"}]}"#

    private func explain(
        state: String? = nil,
        body: String? = nil,
        _ change: (inout ExplainOptions) -> Void = { _ in }
    ) async throws -> String {
        let folder = try TemporaryFolder()
        var options = ExplainOptions()
        options.statePath = try folder.write("state.json", state ?? self.state)
        options.requestPath = try folder.write("request.json", body ?? self.body)
        change(&options)
        return try await ExplainApplication.run(options)
    }

    private func message(state: String? = nil, _ change: (inout ExplainOptions) -> Void = { _ in }) async -> String {
        do { return try await explain(state: state, change) } catch { return "\(error)" }
    }

    @Test func aTableOfASavedState() async throws {
        let table = try await explain()
        // Times and the order of ties aside, which are nobody's promise.
        let lines = table.split(separator: "\n").map(String.init)
        #expect(lines[1].hasPrefix("model m, pool default/llama, priority 0, about "))
        #expect(lines.contains { $0.hasPrefix("  producer approx-prefix-cache-producer, ") })
        let rows = lines.filter { $0.contains(" ms  ") }
        #expect(rows.count == 2)
        #expect(rows[0].split(separator: " ").prefix(6) == ["*", "b", "0", "1", "25", "%"])
        #expect(rows[1].split(separator: " ").prefix(5) == ["a", "5", "9", "50", "%"])
        #expect(rows[0].split(separator: " ").suffix(4) == ["1.000", "0.750", "0.000", "3.500"])
        #expect(lines.last == "picked: default/b")
    }

    @Test func jsonIsWholeAndValid() async throws {
        let text = try await explain { $0.output = .json }
        for part in [
            #""model":"m""#, #""picked":["default/b"]"#, #""stage":"scorer","plugin":"queue-scorer""#, #""weight":2.0"#,
            #""scored":["default/a","default/b"]"#, #""endpoint":"default/b","address":"[::1]:8001""#,
        ] {
            #expect(text.contains(part), "\(part)")
        }
        let bytes = Array(text.utf8)
        var scanner = JSONScanner()
        _ = try scanner.skipValue(in: bytes.span.bytes)
        try scanner.finish(in: bytes.span.bytes)
    }

    @Test func faultsOfPagesAreShown() throws {
        let gateway = try GatewayFixture(
            ports: [1, 2],
            configuration: RequestControlConfiguration(seed: 1, keptDecisions: 10)
        )
        let store = gateway.pools[0].endpoints
        let lives = store.current.endpoints.map(EndpointLife.init)
        store.record(
            faults: [ScrapeFault(.kvCacheUsage, .notANumber), ScrapeFault(.page, .timedOut)],
            from: "metrics-data-source",
            for: lives[1]
        )
        store.record(
            faults: [ScrapeFault(.attribute, .missing, attribute: "k/p"), ScrapeFault(.page, .status)],
            from: "dcgm-data-source",
            for: lives[1]
        )
        guard case .decided(let decision) = gateway.controller.explain(.completion(), routes: .standalone) else {
            return #expect(Bool(false))
        }
        let line =
            "metrics of default/e1: attribute k/p of dcgm-data-source missing, page of dcgm-data-source status, "
            + "kv_cache_usage not_a_number, page timed_out"
        #expect(DecisionTable.text(decision).split(separator: "\n").contains { $0 == line })
        let json = String(decoding: DecisionJSON.document(decision, now: gateway.controller.now()), as: UTF8.self)
        #expect(json.contains(#""metrics_age_seconds":null,"scrape_faults":[]},"#))
        let faults =
            #""scrape_faults":[{"source":"dcgm-data-source","field":"attribute","attribute":"k/p","reason":"missing"},"#
        #expect(json.contains(faults))
        #expect(!json.contains("other_endpoints"))
    }

    @Test func aConfigurationOfOnesOwn() async throws {
        let folder = try TemporaryFolder()
        let plugins =
            "plugins: [{type: label-selector-filter, parameters: {matchLabels: {zone: x}}}, {type: queue-scorer}]"
        let path = try folder.write("epp.yaml", PickerText.head + plugins)
        let table = try await explain { $0.configurationPath = path }
        #expect(table.contains("filter label-selector-filter, ") && table.contains("removed 1"))
        #expect(table.contains("removed by label-selector-filter"))
        #expect(table.hasSuffix("picked: default/a\n"))
    }

    @Test func whatCannotBeExplained() async throws {
        #expect(await message(state: "[]").contains("is not an answer of /api/state"))
        #expect(await message(state: #"{"pools":[]}"#) == "Say with --pool which pool is asked; the state has none.")
        #expect(await message { $0.pool = "x" } == "Say with --pool which pool is asked; the state has 'llama'.")
        #expect(await message { $0.statePath = "/no/such/file" }.hasPrefix("--state '/no/such/file' cannot be read"))
        #expect(await message { $0.headers = ["x"] } == "--header 'x' is not NAME:VALUE.")
        #expect(await message { $0.requestPath = nil }.hasPrefix("--state says how things are"))
        let refused = await message { $0.target = "/v1/messages/count_tokens?x" }
        #expect(refused.contains("picked") || refused.contains("refused"))
        var lone = ExplainOptions()
        lone.configurationPath = "x"
        await #expect(throws: CommandError.self) { try await ExplainApplication.run(lone) }
    }

    /// What a state of a running gateway tells, a saved one knows.
    @Test func aStateIsReadBackWhole() async throws {
        let rule = ModelRewriteRule(
            rewrite: "canary",
            models: ["asked"],
            targets: [.init(model: "m", weight: 7)],
            stickyHeader: "x-user"
        )
        let gateway = try GatewayFixture(
            pools: [("pool", [.local("e0", port: 1), .local("e1", port: 2)])],
            rewrites: ["pool": [rule]],
            objectives: ["urgent": 9]
        )
        let store = gateway.pools[0].endpoints
        let lives = store.current.endpoints.map(EndpointLife.init)
        store.record(attributes: [AttributeReading(key: "swapped/core-metrics-extractor", value: 0.5)], for: lives[0])
        store.record(faults: [ScrapeFault(.page, .timedOut)], from: "metrics-data-source", for: lives[1])
        store.record(models: [ServedModel(id: "m", parent: nil, json: [])], for: lives[1])
        store.record(metrics: EndpointMetrics(), for: lives[1], at: gateway.clock.now)
        let state = String(
            decoding: StateReport.json(controller: gateway.controller, isDraining: false, startedAt: gateway.clock.now),
            as: UTF8.self
        )
        #expect(state.contains(#""objectives":[{"name":"urgent","priority":9}],"model_priorities":[]"#))
        let rules =
            #""rewrites":[{"name":"canary","models":["asked"],"targets":[{"model":"m","weight":7}],"#
            + #""sticky_header":"x-user"}]"#
        #expect(state.contains(rules))
        let folder = try TemporaryFolder()
        let picker = try folder.write(
            "epp.yaml",
            PickerText.head
                + """
                plugins:
                - type: endpoint-attribute-filter
                  parameters:
                    attribute: swapped
                    onMissing: Fail
                    algorithm: {type: threshold, threshold: {operator: LessThan, value: 0.75}}
                - type: core-metrics-extractor
                  parameters:
                    engineConfigs: [{name: mine, customMetrics: [{attributeKey: swapped, metricSpec: swapped}]}]
                """
        )
        let table = try await explain(state: state, body: #"{"model":"asked","prompt":"x"}"#) { options in
            options.configurationPath = picker
            options.allowsExperimentalPlugins = true
            options.headers = ["x-llm-d-inference-objective:urgent"]
            options.target = "/v1/completions"
        }
        #expect(table.contains("model asked → m, pool default/pool, priority 9 (urgent)"))
        #expect(
            table.contains("removed 1: swapped/core-metrics-extractor < 0.75")
                && table.hasSuffix("picked: default/e0\n"))
        #expect(table.contains("metrics of default/e1: page timed_out"))
    }

    @Test func theParsersOfTheStateRead() async throws {
        let picker =
            PickerText.head.replacing("\n", with: "\\n")
            + "plugins: [{type: passthrough-parser}]\\nrequestHandler: {parsers: [{pluginRef: passthrough-parser}]}"
        let passing = state.replacing(#""endpoint_picker":"""#, with: #""endpoint_picker":"\#(picker)""#)
        #expect(try await explain(state: passing, body: "no JSON").contains("model -, pool default/llama"))
    }

    @Test(arguments: ["1e300", "-1", "1e10"])
    func anAgeThatCannotBeIsRefused(age: String) async {
        let text = state.replacing(#""metrics_age_seconds":0.25"#, with: #""metrics_age_seconds":\#(age)"#)
        #expect(await message(state: text).contains("metrics_age_seconds"))
    }

    @Test func adminRoutes() throws {
        let gateway = try GatewayFixture(
            ports: [1, 2],
            configuration: RequestControlConfiguration(seed: 1, keptDecisions: 10)
        )
        let request = IncomingRequest.completion(headers: [("x-request-id", "r 1")])
        let exchange = RequestExchange(controller: gateway.controller, routes: .standalone, request: request)
        _ = exchange.begin()
        exchange.finish(.completed)
        let routes = DecisionRoutes(controller: gateway.controller)
        func ask(_ path: String, _ query: Substring = "", post body: String? = nil) -> (Int, String)? {
            let request = AdminRequest(
                method: body == nil ? .GET : .POST, path: path, query: query, body: Array((body ?? "").utf8))
            return routes.answer(request).map { (Int($0.status.code), String(decoding: $0.body, as: UTF8.self)) }
        }
        #expect(ask("/metrics") == nil)
        #expect(ask("/api/decisions")?.1.contains(#""request_id":"r 1""#) == true)
        #expect(ask("/api/decisions", "model=other")?.1 == #"{"decisions":[]}"#)
        #expect(ask("/api/decisions", "model=m&endpoint=e0&limit=1&format=text")?.1.contains("r 1") == true)
        #expect(ask("/api/decisions/r%201", "format=text")?.1.contains("picked: default/e0") == true)
        #expect(ask("/api/decisions/no")?.0 == 404)
        #expect(ask("/api/decisions", post: "")?.0 == 405)
        #expect(ask("/api/explain")?.0 == 405)
        let question = #"{"model":"m","prompt":"x"}"#
        #expect(
            ask("/api/explain", "path=/v1/completions", post: question)?.1.contains(#""picked":["default/e0"]"#) == true
        )
        #expect(ask("/api/explain", "path=/v1/completions", post: "{")?.0 == 422)
        #expect(ask("/api/explain", "port=7", post: question)?.0 == 404)
        let without = DecisionRoutes(controller: try GatewayFixture(ports: [1]).controller)
        #expect(without.answer(AdminRequest(method: .GET, path: "/api/decisions"))?.status == .notFound)
    }
}
