import ModelServerSimulator
import NIOCore
import NIOHTTP1
import Testing

@Suite("Simulated server: metrics pages")
struct MetricsPageTests {
    /// A line of a metrics page that holds a value.
    struct Sample {
        var name: Substring
        var labels: Substring
        var value: Double

        init?(_ line: Substring) {
            guard let space = line.lastIndex(of: " "), let value = Double(line[line.index(after: space)...]) else {
                return nil
            }
            self.value = value
            let series = line[..<space]
            if let brace = series.firstIndex(of: "{"), series.hasSuffix("}") {
                name = series[..<brace]
                labels = series[series.index(after: brace)...].dropLast()
            } else {
                name = series
                labels = ""
            }
        }
    }

    /// Reads a page and checks what the format demands: every family has its help and type before its series, no family
    /// appears twice, every histogram rises to its count.
    static func samples(of page: String) throws -> [Sample] {
        var samples: [Sample] = []
        var families: Set<Substring> = []
        var current: Substring = ""
        for line in page.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            if line.hasPrefix("# HELP ") {
                current = line.dropFirst(7).prefix { $0 != " " }
                #expect(families.insert(current).inserted, "\(current) appears twice")
            } else if line.hasPrefix("# TYPE ") {
                let words = line.split(separator: " ")
                #expect(words.count == 4 && words[2] == current, "\(line)")
                #expect(["counter", "gauge", "histogram"].contains(String(words[3])))
            } else {
                let sample = try #require(Sample(line), "\(line)")
                #expect(sample.name.hasPrefix(current))
                samples.append(sample)
            }
        }
        var cumulative = 0.0
        for sample in samples {
            if sample.name.hasSuffix("_bucket") {
                #expect(sample.value >= cumulative)
                cumulative = sample.value
            } else if sample.name.hasSuffix("_count") {
                #expect(sample.value == cumulative)
                cumulative = 0
            }
        }
        return samples
    }

    /// The value of a series that has all of these pairs.
    static func value(_ samples: [Sample], _ name: String, _ pairs: String...) -> Double? {
        samples.first { sample in
            sample.name == name && pairs.allSatisfy { sample.labels.contains($0) }
        }?.value
    }

    /// Pages of a server whose one place in the batch is taken, with one request waiting.
    private func page(_ engine: EngineKind) async throws -> [Sample] {
        var configuration = SimulatorConfiguration()
        configuration.listen = [ListenAddress(host: "127.0.0.1", port: 0)]
        configuration.engine = engine
        configuration.models = ["base \"model\"", "alias"]
        configuration.parameters.maxRunningSequences = 1
        var samples: [Sample] = []
        try await withServer(configuration) { client, _ in
            let prompt = String(repeating: "x", count: 6_400)
            _ = try await client.post("/v1/completions", #"{"prompt":"\#(prompt)","max_tokens":2}"#)
            let long = #"{"prompt":"\#(prompt)","max_tokens":20000,"stream":true}"#
            try await client.connect().executeThenClose { _, first in
                try await first.write(contentsOf: TestClient.parts(.POST, "/v1/completions", body: long))
                try await client.await("running", toBe: 1)
                try await client.connect().executeThenClose { _, second in
                    try await second.write(contentsOf: TestClient.parts(.POST, "/v1/completions", body: long))
                    try await client.await("waiting", toBe: 1)
                    let response = try await client.get("/metrics")
                    #expect(response.headers["content-type"] == ["text/plain; version=1.0.0; charset=utf-8"])
                    samples = try Self.samples(of: response.body)
                }
            }
        }
        return samples
    }

    @Test("vLLM")
    func vllm() async throws {
        let samples = try await page(.vllm)
        let model = #"model_name="base \"model\"""#
        #expect(Self.value(samples, "vllm:num_requests_running", #"engine="0""#, model) == 1)
        #expect(Self.value(samples, "vllm:num_requests_waiting", model) == 1)
        #expect(Self.value(samples, "vllm:num_requests_waiting_by_reason", #"reason="capacity""#) == 1)
        let usage = try #require(Self.value(samples, "vllm:kv_cache_usage_perc", model))
        #expect(usage >= 100.0 / 4_095 && usage < 0.1)
        #expect(Self.value(samples, "vllm:prefix_cache_queries_total", model) == 3_200)
        #expect(Self.value(samples, "vllm:prefix_cache_hits_total", model) == 1_584)
        #expect(Self.value(samples, "vllm:request_success_total", #"finished_reason="length""#) == 1)
        #expect(Self.value(samples, "vllm:cache_config_info", #"block_size="16""#, #"num_gpu_blocks="4096""#) == 1)
        #expect((Self.value(samples, "vllm:time_to_first_token_seconds_count", model) ?? 0) >= 1)
        #expect(Self.value(samples, "vllm:e2e_request_latency_seconds_bucket", #"le="+Inf""#) == 1)
    }

    @Test("SGLang")
    func sglang() async throws {
        let samples = try await page(.sglang)
        let labels = [
            #"engine_type="unified""#, #"model_name="base \"model\"""#, #"moe_ep_rank="0""#, #"pp_rank="0""#,
            #"tp_rank="0""#,
        ].joined(separator: ",")
        #expect(Self.value(samples, "sglang:num_running_reqs", labels) == 1)
        #expect(Self.value(samples, "sglang:num_queue_reqs", labels) == 1)
        #expect(Self.value(samples, "sglang:page_size", labels) == 16)
        #expect(Self.value(samples, "sglang:num_pages", labels) == 4_095)
        let usage = try #require(Self.value(samples, "sglang:token_usage", labels))
        #expect(usage > 0 && usage < 0.1)
        #expect(!samples.contains { $0.name.contains("cache_config_info") })
    }

    @Test("Triton")
    func triton() async throws {
        let samples = try await page(.triton)
        let requests = "nv_trt_llm_request_metrics"
        #expect(Self.value(samples, requests, #"request_type="scheduled""#, #"version="1""#) == 1)
        #expect(Self.value(samples, requests, #"request_type="waiting""#) == 1)
        #expect(Self.value(samples, requests, #"request_type="active""#) == 2)
        let blocks = "nv_trt_llm_kv_cache_block_metrics"
        #expect(Self.value(samples, blocks, #"kv_cache_block_type="tokens_per""#) == 16)
        #expect(Self.value(samples, blocks, #"kv_cache_block_type="max""#) == 4_095)
        let used = try #require(Self.value(samples, blocks, #"kv_cache_block_type="used""#))
        #expect(Self.value(samples, blocks, #"kv_cache_block_type="fraction""#) == used / 4_095)
    }

    @Test("llama.cpp")
    func llamaCpp() async throws {
        let samples = try await page(.llamacpp)
        #expect(Self.value(samples, "llamacpp:requests_processing") == 1)
        #expect(Self.value(samples, "llamacpp:requests_deferred") == 1)
        #expect(samples.allSatisfy { $0.labels.isEmpty })
    }

    @Test("A set of adapters once seen stays on the page, and the newest value is the one that holds")
    func adapterSeries() async throws {
        var configuration = SimulatorConfiguration()
        configuration.listen = [ListenAddress(host: "127.0.0.1", port: 0)]
        configuration.loraAdapters = ["a", "b"]
        configuration.timeScale = 100
        try await withServer(configuration) { client, _ in
            for adapter in ["a", "b"] {
                let body = #"{"model":"\#(adapter)","prompt":"x","max_tokens":5}"#
                #expect(try await client.post("/v1/completions", body).status == 200)
            }
            let samples = try Self.samples(of: try await client.get("/metrics").body)
                .filter { $0.name == "vllm:lora_requests_info" }
            let sets = samples.map(\.labels)
            #expect(sets.contains { $0.contains(#"running_lora_adapters="a""#) })
            #expect(sets.contains { $0.contains(#"running_lora_adapters="b",waiting_lora_adapters="b""#) })
            let newest = try #require(samples.max { $0.value < $1.value })
            #expect(newest.labels == #"max_lora="4",running_lora_adapters="",waiting_lora_adapters="""#)
            #expect(newest.value > 1_700_000_000)
        }
    }
}
