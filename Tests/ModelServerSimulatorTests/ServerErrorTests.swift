import ModelServerSimulator
import NIOCore
import NIOHTTP1
import Testing

@Suite("Simulated server: errors, models and connections")
struct ServerErrorTests {
    private static let long = #"{"prompt":"hello","max_tokens":20000,"stream":true}"#

    @Test("A request that cannot be served gets the status and shape of vLLM")
    func errors() async throws {
        let configuration = instantConfiguration {
            $0.parameters.maxModelLength = 100
            $0.maxBodyBytes = 10_000
        }
        try await withServer(configuration) { client, _ in
            func expect(_ path: String, _ body: String, _ status: UInt, _ type: String, _ words: String) async throws {
                let response = try await client.post(path, body)
                #expect(response.status == status, "\(body)")
                let error = try response.json["error"]
                #expect(error["type"].string == type)
                #expect(error["code"].number == Double(status))
                #expect(error["message"].string?.contains(words) == true, "\(response.body)")
            }
            let completions = "/v1/completions"
            try await expect(completions, #"{"model":"no","prompt":"x"}"#, 404, "NotFoundError", "`no` does not exist")
            try await expect(completions, #"{"prompt":"x","max_tokens":100}"#, 400, "BadRequestError", "100 tokens")
            try await expect(completions, #"{"prompt":"x","max_tokens":0}"#, 400, "BadRequestError", "got 0")
            try await expect(completions, #"{"prompt":"x","n":0}"#, 400, "BadRequestError", "got 0")
            try await expect(completions, #"{"prompt":[],"max_tokens":1}"#, 400, "BadRequestError", "from 1 to 256")
            try await expect(completions, #"{"prompt":""}"#, 400, "BadRequestError", "no token")
            try await expect(completions, "{", 400, "BadRequestError", "JSON decode error")
            try await expect(completions, "", 400, "BadRequestError", "JSON decode error")
            try await expect(completions, "{}", 400, "BadRequestError", "\"prompt\" is missing")
            try await expect(completions, #"{"prompt":7}"#, 400, "BadRequestError", "\"prompt\"")
            let blank = String(repeating: " ", count: 10_001)
            try await expect(completions, blank, 413, "BadRequestError", "10000 bytes")
            try await expect("/v1/chat/completions", #"{"messages":[]}"#, 400, "BadRequestError", "no message")
            try await expect("/v1/embeddings", #"{"input":"x","dimensions":0}"#, 400, "BadRequestError", "got 0")
            try await expect("/nowhere", "{}", 404, "Not Found", "Not Found")
            try await expect("/health", "{}", 405, "Method Not Allowed", "Method Not Allowed")
            #expect(try await client.get("/v1/completions?x=1").status == 405)
        }
    }

    @Test("Beyond the queue's limit the answer is 503")
    func queueFull() async throws {
        var configuration = SimulatorConfiguration()
        configuration.listen = [ListenAddress(host: "127.0.0.1", port: 0)]
        configuration.parameters.maxQueuedRequests = 1
        try await withServer(configuration) { client, _ in
            try await client.connect().executeThenClose { inbound, outbound in
                try await outbound.write(contentsOf: TestClient.parts(.POST, "/v1/completions", body: Self.long))
                var parts = inbound.makeAsyncIterator()
                _ = try await parts.next(isolation: #isolation)
                let refused = try await client.post("/v1/completions", Self.long)
                #expect(refused.status == 503)
                #expect(try refused.json["error"]["type"].string == "ServiceUnavailableError")
            }
        }
    }

    @Test("When the client goes away the sequence ends at once")
    func disconnect() async throws {
        var configuration = SimulatorConfiguration()
        configuration.listen = [ListenAddress(host: "127.0.0.1", port: 0)]
        try await withServer(configuration) { client, _ in
            try await client.connect().executeThenClose { inbound, outbound in
                try await outbound.write(contentsOf: TestClient.parts(.POST, "/v1/completions", body: Self.long))
                for try await part in inbound {
                    if case .body = part {
                        break
                    }
                }
                #expect(try await client.state("running") == 1)
            }
            try await client.await("cancelled", toBe: 1)
            #expect(try await client.state("running") == 0)
            #expect(try await client.state("used_blocks") == 0)
            #expect(try await client.state("generation_tokens") < 20_000)
        }
    }

    @Test("A client that goes away before its answer in one piece cancels too")
    func disconnectBeforeAnswer() async throws {
        var configuration = SimulatorConfiguration()
        configuration.listen = [ListenAddress(host: "127.0.0.1", port: 0)]
        try await withServer(configuration) { client, _ in
            try await client.connect().executeThenClose { _, outbound in
                try await outbound.write(
                    contentsOf: TestClient.parts(
                        .POST, "/v1/completions", body: #"{"prompt":"hello","max_tokens":20000}"#
                    )
                )
                try await client.await("running", toBe: 1)
            }
            try await client.await("cancelled", toBe: 1)
        }
    }

    @Test("Adapters are listed, loaded and unloaded; their requests name them as the model")
    func adapters() async throws {
        let configuration = instantConfiguration { $0.loraAdapters = ["lora-a"] }
        try await withServer(configuration) { client, _ in
            func names() async throws -> [String] {
                try await client.get("/v1/models").json["data"].elements.compactMap { $0["id"].string }
            }
            #expect(try await names() == ["martlet-sim", "lora-a"])
            let card = try await client.get("/v1/models").json["data"][1]
            #expect(card["parent"].string == "martlet-sim")
            let body = #"{"model":"lora-b","prompt":"x","max_tokens":1}"#
            #expect(try await client.post("/v1/completions", body).status == 404)
            let load = #"{"lora_name":"lora-b","lora_path":"/adapters/b"}"#
            #expect(try await client.post("/v1/load_lora_adapter", load).status == 200)
            #expect(try await client.post("/v1/load_lora_adapter", load).status == 400)
            #expect(try await client.post("/v1/load_lora_adapter", #"{"lora_name":"x"}"#).status == 400)
            #expect(try await names() == ["martlet-sim", "lora-a", "lora-b"])
            #expect(try await client.post("/v1/completions", body).json["model"].string == "lora-b")
            let page = try await client.get("/metrics").body
            let idle = #"vllm:lora_requests_info{max_lora="4",running_lora_adapters="",waiting_lora_adapters=""}"#
            #expect(page.contains(idle))
            #expect(try await client.post("/v1/unload_lora_adapter", load).status == 200)
            #expect(try await client.post("/v1/unload_lora_adapter", load).status == 404)
            #expect(try await client.post("/v1/completions", body).status == 404)
        }
    }

    @Test("The small routes answer")
    func smallRoutes() async throws {
        try await withServer { client, _ in
            let health = try await client.get("/health")
            #expect(health.status == 200 && health.body.isEmpty)
            #expect(try await client.get("/ping").status == 200)
            #expect(try await client.get("/version").json["version"].string == "0.32.0")
            let tokens = try await client.post("/tokenize", #"{"prompt":"12345"}"#).json
            #expect(tokens["count"].number == 2)
            #expect(tokens["max_model_len"].number == 32_768)
            #expect(try await client.post("/reset_prefix_cache", "").status == 200)
            #expect(try await client.get("/health").headers["date"].first?.hasSuffix(" GMT") == true)
        }
    }

    @Test("One connection carries many requests, also ones sent before their turn, and ends when asked to")
    func connectionReuse() async throws {
        try await withServer { client, _ in
            try await client.connect().executeThenClose { inbound, outbound in
                let body = #"{"prompt":"x","max_tokens":2,"stream":true}"#
                for index in 0..<50 {
                    try await outbound.write(
                        contentsOf: TestClient.parts(
                            .POST, "/v1/completions", headers: ["x-request-id": "\(index)"], body: body
                        )
                    )
                }
                try await outbound.write(
                    contentsOf: TestClient.parts(.GET, "/health", headers: ["connection": "close"], body: nil)
                )
                var parts = inbound.makeAsyncIterator()
                for index in 0..<50 {
                    let response = try await TestClient.response(from: &parts)
                    #expect(try JSONValue(response.events[0])["id"].string == "cmpl-\(index)")
                }
                #expect(try await TestClient.response(from: &parts).headers["connection"] == ["close"])
                #expect(try await parts.next(isolation: #isolation) == nil)
            }
        }
    }

    @Test("A client that asks leave to send its body gets it")
    func expectContinue() async throws {
        try await withServer { client, _ in
            let response = try await client.post(
                "/v1/completions", #"{"prompt":"x"}"#, headers: ["expect": "100-continue"]
            )
            #expect(response.status == 200)
        }
    }

    @Test("Stopping lets answers finish within the grace period, and breaks off those that do not")
    func stopping() async throws {
        var configuration = SimulatorConfiguration()
        configuration.listen = [ListenAddress(host: "127.0.0.1", port: 0)]
        configuration.parameters.interTokenLatency = .milliseconds(2)
        func stream(_ tokens: Int, gracePeriod: Duration) async throws -> TestResponse {
            let server = try SimulatorServer(configuration: configuration)
            let client = TestClient(address: try #require(try await server.start().first))
            return try await client.connect().executeThenClose { inbound, outbound in
                let body = #"{"prompt":"hello","max_tokens":\#(tokens),"stream":true}"#
                try await outbound.write(contentsOf: TestClient.parts(.POST, "/v1/completions", body: body))
                var parts = inbound.makeAsyncIterator()
                guard case .head(let head) = try await parts.next(isolation: #isolation) else {
                    throw ConnectionEnded(partial: TestResponse(status: 0, headers: [:], body: ""))
                }
                async let stopped: Void = server.stop(gracePeriod: gracePeriod)
                let result: Result<TestResponse, any Error>
                do {
                    result = .success(try await TestClient.response(from: &parts, begunWith: head))
                } catch {
                    result = .failure(error)
                }
                await stopped
                await server.stop()
                return try result.get()
            }
        }
        let finished = try await stream(50, gracePeriod: .seconds(60))
        #expect(finished.events.last == "[DONE]")
        await #expect(throws: (any Error).self) {
            try await stream(20_000, gracePeriod: .milliseconds(1))
        }
    }

    @Test("A server starts once, and an address in use is named in the error")
    func starting() async throws {
        try await withServer { client, server in
            await #expect(throws: SimulatorServerError.self) {
                try await server.start()
            }
            let port = UInt16(try #require(client.address.port))
            let second = try SimulatorServer(
                configuration: instantConfiguration {
                    $0.listen = [
                        ListenAddress(host: "127.0.0.1", port: 0), ListenAddress(host: "127.0.0.1", port: port),
                    ]
                }
            )
            let error = await #expect(throws: SimulatorServerError.self) {
                try await second.start()
            }
            #expect(error?.description.contains("127.0.0.1:\(port)") == true)
        }
        let both = try SimulatorServer(
            configuration: instantConfiguration {
                $0.listen = [ListenAddress(host: "127.0.0.1", port: 0), ListenAddress(host: "127.0.0.1", port: 0)]
            }
        )
        let addresses = try await both.start()
        #expect(addresses.count == 2)
        for address in addresses {
            #expect(try await TestClient(address: address).get("/health").status == 200)
        }
        await both.stop()
    }

    @Test("Time scale makes everything faster")
    func timeScale() async throws {
        var configuration = SimulatorConfiguration()
        configuration.listen = [ListenAddress(host: "127.0.0.1", port: 0)]
        configuration.timeScale = 1_000
        try await withServer(configuration) { client, server in
            let began = NIODeadline.now()
            let response = try await client.post("/v1/completions", #"{"prompt":"hello","max_tokens":10001}"#)
            #expect(response.status == 200)
            // A hundred virtual seconds, so a hundred milliseconds of the clock at least, and far fewer than a hundred
            // seconds.
            let elapsed = NIODeadline.now() - began
            #expect(elapsed > .milliseconds(100) && elapsed < .seconds(50))
            let latency = try #require(try await server.counters()).totals.requestLatency
            #expect(latency.count == 1 && latency.sum >= 100)
        }
    }
}
