import DataLayer
import GatewayCore
import Telemetry
import Testing

extension EngineMetricsExtractor {
    fileprivate mutating func read(bytes: [UInt8], previous: EndpointMetrics = EndpointMetrics()) -> Reading {
        read(bytes.span.bytes, previous: previous)
    }
}

@Suite struct EngineMetricsExtractorTests {
    private func extractor(_ engine: String) throws -> EngineMetricsExtractor {
        EngineMetricsExtractor(mapping: try #require(EngineMappings().mapping(named: engine)))
    }

    private func read(
        _ text: String,
        _ engine: String = "vllm",
        previous: EndpointMetrics = EndpointMetrics()
    ) throws -> EngineMetricsExtractor.Reading {
        var extractor = try extractor(engine)
        return extractor.read(bytes: Array(text.utf8), previous: previous)
    }

    @Test func readsARealPageOfVLLM() throws {
        var extractor = try extractor("vllm")
        let reading = extractor.read(bytes: Fixture.vllm)
        #expect(
            reading.metrics
                == EndpointMetrics(
                    waitingQueueSize: 2,
                    runningRequests: 4,
                    kvCacheUsage: 0.5534591194968553,
                    activeModels: ["lora-a", "lora-b"],
                    waitingModels: ["lora-a", "lora-b"],
                    maxActiveModels: 2,
                    cacheBlockSizeTokens: 32,
                    cacheBlockCount: 160
                )
        )
        #expect(reading.faults.isEmpty && reading.isRecognised)
        let again = extractor.read(bytes: Fixture.vllm)
        #expect(again == reading, "an extractor is used page after page")
    }

    @Test func readsARealPageOfSGLang() throws {
        var extractor = try extractor("sglang")
        let reading = extractor.read(bytes: Fixture.sglang)
        let expected = EndpointMetrics(
            runningRequests: 3, kvCacheUsage: 0.18, cacheBlockSizeTokens: 1, cacheBlockCount: 4096
        )
        #expect(reading.metrics == expected)
        #expect(reading.faults.isEmpty && reading.isRecognised)
    }

    @Test func readsTheOtherShapeOfSGLang() throws {
        let reading = try read(
            """
            # TYPE sglang:cache_config_info gauge
            sglang:cache_config_info{page_size="16",num_pages="2048"} 1.0
            # TYPE sglang:num_queue_reqs gauge
            sglang:num_queue_reqs{tp_rank="0"} 5.0

            """,
            "sglang"
        )
        #expect(reading.metrics.cacheBlockSizeTokens == 16 && reading.metrics.cacheBlockCount == 2048)
        #expect(reading.metrics.waitingQueueSize == 5)
        #expect(reading.faults == [.runningRequests, .kvCacheUsage].map { ScrapeFault($0, .missing) })
    }

    @Test func readsARealPageOfLlamaCpp() throws {
        var extractor = try extractor("llamacpp")
        let reading = extractor.read(bytes: Fixture.llamacpp)
        #expect(reading.metrics == EndpointMetrics(waitingQueueSize: 3, runningRequests: 2))
        #expect(reading.faults.isEmpty)
    }

    @Test func selectsTritonsSeriesByLabel() throws {
        let reading = try read(
            """
            # TYPE nv_trt_llm_request_metrics gauge
            nv_trt_llm_request_metrics{model="m",request_type="waiting",version="1"} 7
            nv_trt_llm_request_metrics{model="m",request_type="context",version="1"} 1
            nv_trt_llm_request_metrics{model="m",request_type="scheduled",version="1"} 3
            # TYPE nv_trt_llm_kv_cache_block_metrics gauge
            nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="fraction",model="m"} 0.4875
            nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="tokens_per",model="m"} 64
            nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="max",model="m"} 6239

            """,
            "triton-tensorrt-llm"
        )
        let expected = EndpointMetrics(
            waitingQueueSize: 7, runningRequests: 3, kvCacheUsage: 0.4875, cacheBlockSizeTokens: 64,
            cacheBlockCount: 6239
        )
        #expect(reading.metrics == expected)
        #expect(reading.faults.isEmpty)
    }

    @Test func readsCountersAsWellAsGauges() throws {
        let page = """
            # TYPE nv_inference_exec_count counter
            nv_inference_exec_count{model="m"} 41
            # TYPE nv_inference_pending_request_count gauge
            nv_inference_pending_request_count{model="m"} 2

            """
        #expect(try read(page, "triton").metrics == EndpointMetrics(waitingQueueSize: 2, runningRequests: 41))
    }

    @Test func aSeriesOfNoTypeCountsAsZero() throws {
        let reading = try read(
            "vllm:num_requests_waiting 5\n# TYPE vllm:num_requests_running histogram\nvllm:num_requests_running 3\n",
            previous: EndpointMetrics(waitingQueueSize: 9, runningRequests: 9)
        )
        #expect(reading.metrics.waitingQueueSize == 0 && reading.metrics.runningRequests == 0)
        #expect(reading.faults.contains(ScrapeFault(.queuedRequests, .wrongType)))
        #expect(reading.faults.contains(ScrapeFault(.runningRequests, .wrongType)))
    }

    @Test func theLatestOfSeveralSeriesCountsAndTheFirstOfEquals() throws {
        let reading = try read(
            """
            # TYPE vllm:num_requests_waiting gauge
            vllm:num_requests_waiting{engine="0"} 3
            vllm:num_requests_waiting{engine="1"} 30
            # TYPE vllm:num_requests_running gauge
            vllm:num_requests_running{engine="0"} 1 1000
            vllm:num_requests_running{engine="1"} 2 3000
            vllm:num_requests_running{engine="2"} 3 2000
            vllm:num_requests_running{engine="3"} 4

            """
        )
        #expect(reading.metrics.waitingQueueSize == 3)
        #expect(reading.metrics.runningRequests == 2)
    }

    @Test func whatThePageDoesNotTellStays() throws {
        let previous = EndpointMetrics(
            waitingQueueSize: 1, runningRequests: 2, kvCacheUsage: 0.3, activeModels: ["a"], waitingModels: ["b"],
            maxActiveModels: 4, cacheBlockSizeTokens: 16, cacheBlockCount: 99
        )
        let page = "# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting 8\n"
        let reading = try read(page, previous: previous)
        var expected = previous
        expected.waitingQueueSize = 8
        #expect(reading.metrics == expected)
        let absent: [ScrapedField] = [.runningRequests, .kvCacheUsage, .cacheInfo]
        #expect(reading.faults == absent.map { ScrapeFault($0, .missing) }, "adapters may be absent")
        let empty = try read("", previous: previous)
        #expect(empty.metrics == previous && !empty.isAnyFound && !empty.isRecognised)
    }

    @Test func theAdapterSeriesWithTheLargestValueCounts() throws {
        let reading = try read(
            """
            vllm:lora_requests_info{max_lora="2",running_lora_adapters="x",waiting_lora_adapters=""} 10
            vllm:lora_requests_info{max_lora="3",running_lora_adapters=" a , ,b,",waiting_lora_adapters="c d"} 30
            vllm:lora_requests_info{max_lora="2",running_lora_adapters="y",waiting_lora_adapters=""} 20
            vllm:lora_requests_info{max_lora="2",running_lora_adapters="z",waiting_lora_adapters=""} NaN

            """,
            previous: EndpointMetrics(activeModels: ["old"], waitingModels: ["old"])
        )
        #expect(reading.metrics.activeModels == ["a", "b"])
        #expect(reading.metrics.waitingModels == ["c d"])
        #expect(reading.metrics.maxActiveModels == 3)
    }

    @Test func aCacheSizeThatIsNoNumberIsZero() throws {
        let reading = try read(
            "vllm:cache_config_info{block_size=\"16\",num_gpu_blocks=\"None\"} 1\n",
            previous: EndpointMetrics(cacheBlockSizeTokens: 8, cacheBlockCount: 7)
        )
        #expect(reading.metrics.cacheBlockSizeTokens == 16 && reading.metrics.cacheBlockCount == 0)
        #expect(reading.faults.contains(ScrapeFault(.cacheInfo, .unreadable)))
    }

    @Test(arguments: [
        ("NaN", 0, 0.0), ("+Inf", 1 << 53, 1.0), ("-Inf", 0, 0.0), ("-3", 0, 0.0), ("1e300", 1 << 53, 1.0),
        ("0.5", 0, 0.5),
    ])
    func valuesOutOfRangeAreMovedIntoIt(text: String, count: Int, share: Double) throws {
        let reading = try read(
            """
            # TYPE vllm:num_requests_waiting gauge
            vllm:num_requests_waiting \(text)
            # TYPE vllm:kv_cache_usage_perc gauge
            vllm:kv_cache_usage_perc \(text)

            """
        )
        #expect(reading.metrics.waitingQueueSize == count)
        #expect(reading.metrics.kvCacheUsage == share)
    }

    @Test func noMutationOfARealPageTraps() throws {
        var random = RandomSource(seed: 11)
        var extractor = try extractor("vllm")
        // The lines that matter, so that mutations hit them.
        let lines = String(decoding: Fixture.vllm, as: UTF8.self).split(separator: "\n").filter { line in
            ["num_requests_", "kv_cache_usage", "lora_requests", "cache_config"].contains { line.contains($0) }
        }
        let original = Array((lines.joined(separator: "\n") + "\n").utf8)
        for _ in 0..<2_000 {
            var page = original
            for _ in 0..<Int.random(in: 1...20, using: &random) {
                let index = Int.random(in: 0..<page.count, using: &random)
                if Bool.random(using: &random) {
                    page[index] = UInt8.random(in: 0...255, using: &random)
                } else {
                    page.remove(at: index)
                }
            }
            let metrics = extractor.read(bytes: page).metrics
            #expect(metrics.waitingQueueSize >= 0 && metrics.runningRequests >= 0 && metrics.cacheBlockCount >= 0)
            #expect((0...1).contains(metrics.kvCacheUsage))
        }
    }
}

@Suite struct EngineRecognitionTests {
    private func page(_ engine: String) throws -> [UInt8] {
        let name = try #require(EngineMappings().mapping(named: engine)?.runningRequests?.name)
        return Array("# TYPE \(name) gauge\n\(name) 4\n".utf8)
    }

    @Test(arguments: ["sglang", "trtllm-serve", "triton", "llamacpp"])
    func anEngineWithoutALabelIsRecognisedByItsPage(engine: String) throws {
        var recognition = EngineRecognition(engines: PreparedEngines(EngineMappings()))
        let page = try page(engine)
        let untried = recognition.read(
            page.span.bytes, labels: [:], previous: EndpointMetrics(), mayTryOthers: false
        )
        #expect(!untried.isRecognised && recognition.engine == "vllm")
        let reading = recognition.read(page.span.bytes, labels: [:], previous: EndpointMetrics(), mayTryOthers: true)
        #expect(reading.metrics.runningRequests == 4 && recognition.engine == engine)
        let next = recognition.read(page.span.bytes, labels: [:], previous: EndpointMetrics(), mayTryOthers: false)
        #expect(next.isRecognised, "it is remembered")
    }

    @Test func anUnknownPageLeavesTheDefault() {
        var recognition = EngineRecognition(engines: PreparedEngines(EngineMappings()))
        let page = Array("# TYPE x gauge\nx 1\n".utf8)
        let reading = recognition.read(page.span.bytes, labels: [:], previous: EndpointMetrics(), mayTryOthers: true)
        #expect(!reading.isAnyFound && recognition.engine == "vllm")
    }

    @Test func aLabelIsBelieved() throws {
        var recognition = EngineRecognition(engines: PreparedEngines(EngineMappings()))
        let page = try page("sglang")
        for (labels, engine) in [
            (["llm-d.ai/engine-type": "triton"], "triton"),
            (["inference.networking.k8s.io/engine-type": "llamacpp"], "llamacpp"),
            (["llm-d.ai/engine-type": "sglang", "inference.networking.k8s.io/engine-type": "vllm"], "sglang"),
            (["llm-d.ai/engine-type": "unheard-of"], "vllm"),
        ] {
            let reading = recognition.read(
                page.span.bytes, labels: labels, previous: EndpointMetrics(), mayTryOthers: true
            )
            #expect(recognition.engine == engine)
            #expect(reading.isRecognised == (engine == "sglang"))
        }
        let reading = recognition.read(page.span.bytes, labels: [:], previous: EndpointMetrics(), mayTryOthers: true)
        #expect(reading.isRecognised && recognition.engine == "sglang", "the label was taken away")
    }
}
