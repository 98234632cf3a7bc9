extension MetricsSource {
    /// The families of SGLang 0.5. There is no `cache_config_info`; the cache's shape is in `page_size` and
    /// `num_pages`.
    func sglangPage() -> String {
        var page = MetricsText()
        let model = "model_name=\"\(MetricsText.escaped(model))\""
        let labels = "engine_type=\"unified\",\(model),moe_ep_rank=\"0\",pp_rank=\"0\",tp_rank=\"0\""
        let totals = counters.totals
        let usedTokens = counters.usedBlocks * parameters.blockSizeTokens
        let decodeRate = totals.decodeSeconds > 0 ? Double(totals.generationTokens) / totals.decodeSeconds : 0
        let gauges: [(name: String, help: String, value: Double)] = [
            (
                "max_total_num_tokens", "Maximum total number of tokens in the KV cache pool.",
                Double(parameters.cacheCapacityTokens)
            ),
            ("page_size", "Page size of the KV cache.", Double(parameters.blockSizeTokens)),
            ("num_pages", "Number of pages of the KV cache.", Double(parameters.blockCount - 1)),
            ("context_len", "Maximum context length of the model.", Double(parameters.effectiveMaxModelLength)),
            ("num_running_reqs", "The number of running requests.", Double(counters.running)),
            ("num_queue_reqs", "The number of requests in the waiting queue.", Double(counters.waiting)),
            ("gen_throughput", "The generation throughput (token/s).", decodeRate),
            ("cache_hit_rate", "The prefix cache hit rate.", totals.prefixHitRatio),
            ("token_usage", "The token usage.", (counters.cacheUsage * 100).rounded() / 100),
            ("full_token_usage", "The token usage for full attention layers.", counters.cacheUsage),
            ("num_used_tokens", "The number of used tokens.", Double(usedTokens)),
        ]
        for gauge in gauges {
            page.single("sglang:" + gauge.name, "gauge", gauge.help, labels, gauge.value)
        }
        let short = "engine_type=\"unified\",\(model)"
        let finished = totals.finishedStop + totals.finishedLength
        let sums: [(name: String, help: String, labels: String, value: Int)] = [
            ("prompt_tokens_total", "Number of prefill tokens processed.", short, totals.promptTokens),
            ("generation_tokens_total", "Number of generation tokens processed.", short, totals.generationTokens),
            ("num_requests_total", "Number of requests processed.", short, finished),
            (
                "cached_tokens_total", "Number of cached prompt tokens.", "cache_source=\"device\",\(short)",
                totals.prefixHitTokens
            ),
        ]
        for sum in sums {
            page.single("sglang:" + sum.name, "counter", sum.help, sum.labels, Double(sum.value))
        }
        let histograms: [(name: String, help: String, histogram: SimulatedHistogram)] = [
            ("time_to_first_token_seconds", "Histogram of time to first token in seconds.", totals.timeToFirstToken),
            ("inter_token_latency_seconds", "Histogram of inter-token latency in seconds.", totals.interTokenLatency),
            (
                "e2e_request_latency_seconds", "Histogram of end-to-end request latency in seconds",
                totals.requestLatency
            ),
        ]
        for entry in histograms {
            page.histogram(
                "sglang:" + entry.name, entry.help, entry.histogram, before: "engine_type=\"unified\"", after: model
            )
        }
        return page.text
    }

    /// The families of Triton with the TensorRT-LLM back end.
    func tritonPage() -> String {
        var page = MetricsText(alwaysFraction: false)
        let labels = "model=\"\(MetricsText.escaped(model))\""
        let requests = [
            ("waiting", counters.waiting), ("context", counters.waiting), ("scheduled", counters.running),
            ("max", parameters.maxRunningSequences), ("active", counters.running + counters.waiting),
        ]
        page.family("nv_trt_llm_request_metrics", "gauge", "TRT LLM request metrics")
        for (type, count) in requests {
            page.series(
                "nv_trt_llm_request_metrics", "\(labels),request_type=\"\(type)\",version=\"1\"", Double(count)
            )
        }
        let usable = parameters.blockCount - 1
        let blocks: [(type: String, value: Double)] = [
            ("fraction", counters.cacheUsage), ("tokens_per", Double(parameters.blockSizeTokens)),
            ("used", Double(counters.usedBlocks)), ("free", Double(usable - counters.usedBlocks)),
            ("max", Double(usable)),
        ]
        page.family("nv_trt_llm_kv_cache_block_metrics", "gauge", "TRT LLM KV cache block metrics")
        for block in blocks {
            page.series(
                "nv_trt_llm_kv_cache_block_metrics",
                "kv_cache_block_type=\"\(block.type)\",\(labels),version=\"1\"", block.value
            )
        }
        page.family("nv_trt_llm_general_metrics", "gauge", "General TRT LLM metrics")
        for (type, value) in [("iteration_counter", Double(counters.totals.steps)), ("timestamp", unixTime.rounded())] {
            page.series("nv_trt_llm_general_metrics", "general_type=\"\(type)\",\(labels),version=\"1\"", value)
        }
        page.family("nv_trt_llm_v1_metrics", "gauge", "TRT LLM v1-specific metrics")
        let tokens = [
            ("total_generation_tokens", counters.totals.generationTokens),
            ("empty_generation_slots", parameters.maxRunningSequences - counters.running),
            ("total_context_tokens", counters.totals.promptTokens),
        ]
        for (type, value) in tokens {
            page.series(
                "nv_trt_llm_v1_metrics", "\(labels),v1_specific_metric=\"\(type)\",version=\"1\"", Double(value)
            )
        }
        return page.text
    }

    /// The families of llama.cpp's server, which have no labels and say nothing about the cache.
    func llamaCppPage() -> String {
        var page = MetricsText(alwaysFraction: false)
        let totals = counters.totals
        let computed = Double(totals.promptTokens - totals.prefixHitTokens)
        func rate(_ tokens: Double, _ seconds: Double) -> Double {
            seconds > 0 ? max(0, tokens) / seconds : 0
        }
        let all: [(name: String, type: String, help: String, value: Double)] = [
            (
                "prompt_tokens_total", "counter", "Number of prompt tokens processed, excluding cached tokens",
                max(0, computed)
            ),
            (
                "prompt_tokens_cached_total", "counter", "Number of prompt tokens reused from the cache",
                Double(totals.prefixHitTokens)
            ),
            ("prompt_seconds_total", "counter", "Total time spent processing prompts", totals.prefillSeconds),
            (
                "tokens_predicted_total", "counter", "Number of generation tokens processed",
                Double(totals.generationTokens)
            ),
            (
                "tokens_predicted_seconds_total", "counter", "Total time spent generating tokens",
                totals.decodeSeconds
            ),
            ("n_decode_total", "counter", "Total number of llama_decode() calls", Double(totals.steps)),
            (
                "n_tokens_max", "counter", "Largest observed sequence length (prompt + generation)",
                Double(totals.longestSequence)
            ),
            (
                "prompt_tokens_seconds", "gauge", "Average prompt throughput in tokens/s",
                rate(computed, totals.prefillSeconds)
            ),
            (
                "predicted_tokens_seconds", "gauge", "Average generation throughput in tokens/s",
                rate(Double(totals.generationTokens), totals.decodeSeconds)
            ),
            ("requests_processing", "gauge", "Number of requests processing", Double(counters.running)),
            ("requests_deferred", "gauge", "Number of requests deferred", Double(counters.waiting)),
        ]
        for entry in all {
            page.single("llamacpp:" + entry.name, entry.type, entry.help, "", entry.value)
        }
        return page.text
    }
}
