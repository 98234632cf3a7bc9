extension MetricsSource {
    /// The families of vLLM 0.32 a gateway or a dashboard reads, with the labels of that version.
    func vllmPage() -> String {
        var page = MetricsText()
        let model = "model_name=\"\(MetricsText.escaped(model))\""
        let labels = "engine=\"0\",\(model)"
        writeVLLMGauges(&page, labels)
        writeVLLMCounters(&page, labels: labels, model: model)
        writeVLLMHistograms(&page, model: model)
        writeVLLMInformation(&page)
        return page.text
    }

    private func writeVLLMGauges(_ page: inout MetricsText, _ labels: String) {
        page.single(
            "vllm:num_requests_running", "gauge", "Number of requests in model execution batches.", labels,
            Double(counters.running)
        )
        page.single(
            "vllm:num_requests_waiting", "gauge", "Number of requests waiting to be processed.", labels,
            Double(counters.waiting)
        )
        page.family("vllm:num_requests_waiting_by_reason", "gauge", "Number of waiting requests by reason.")
        let deferred = counters.waitingForAdapter
        for (reason, count) in [("capacity", counters.waiting - deferred), ("deferred", deferred)] {
            page.series("vllm:num_requests_waiting_by_reason", "\(labels),reason=\"\(reason)\"", Double(count))
        }
        page.single(
            "vllm:kv_cache_usage_perc", "gauge", "KV-cache usage. 1 means 100 percent usage.", labels,
            counters.cacheUsage
        )
    }

    private func writeVLLMCounters(_ page: inout MetricsText, labels: String, model: String) {
        let totals = counters.totals
        let simple: [(name: String, help: String, value: Int)] = [
            (
                "prefix_cache_queries", "Prefix cache queries, in terms of number of queried tokens.",
                totals.prefixQueryTokens
            ),
            ("prefix_cache_hits", "Prefix cache hits, in terms of number of cached tokens.", totals.prefixHitTokens),
            ("num_preemptions", "Cumulative number of preemption from the engine.", totals.preemptions),
            ("prompt_tokens", "Number of prefill tokens processed.", totals.promptTokens),
            ("prompt_tokens_cached", "Number of cached prompt tokens (local + external).", totals.prefixHitTokens),
            ("generation_tokens", "Number of generation tokens processed.", totals.generationTokens),
        ]
        for counter in simple {
            page.single("vllm:\(counter.name)_total", "counter", counter.help, labels, Double(counter.value))
        }
        page.family("vllm:request_success_total", "counter", "Count of successfully processed requests.")
        let finished = [
            ("stop", totals.finishedStop), ("length", totals.finishedLength), ("abort", totals.cancelled), ("error", 0),
        ]
        for (reason, count) in finished {
            page.series(
                "vllm:request_success_total", "engine=\"0\",finished_reason=\"\(reason)\",\(model)", Double(count)
            )
        }
        page.single(
            "vllm:admission_rejections_total", "counter",
            "Number of admission attempts rejected by a queue limit, by reason.",
            "\(model),reason=\"max_num_queued_reqs\"", Double(totals.rejectedQueueFull)
        )
    }

    private func writeVLLMHistograms(_ page: inout MetricsText, model: String) {
        let totals = counters.totals
        let all: [(name: String, help: String, histogram: SimulatedHistogram)] = [
            ("request_prompt_tokens", "Number of prefill tokens processed.", totals.promptLength),
            ("request_generation_tokens", "Number of generation tokens processed.", totals.outputLength),
            ("time_to_first_token_seconds", "Histogram of time to first token in seconds.", totals.timeToFirstToken),
            ("inter_token_latency_seconds", "Histogram of inter-token latency in seconds.", totals.interTokenLatency),
            ("e2e_request_latency_seconds", "Histogram of e2e request latency in seconds.", totals.requestLatency),
            (
                "request_queue_time_seconds", "Histogram of time spent in WAITING phase for request.",
                totals.queueTime
            ),
        ]
        for entry in all {
            page.histogram(
                "vllm:" + entry.name, entry.help, entry.histogram, before: "engine=\"0\"", after: model
            )
        }
    }

    private func writeVLLMInformation(_ page: inout MetricsText) {
        if !adapterSeries.seen.isEmpty {
            page.family("vllm:lora_requests_info", "gauge", "Running stats on lora requests.")
            for entry in adapterSeries.seen {
                // Both lists are the same set on the real page, too.
                let adapters = MetricsText.escaped(entry.adapters)
                page.series(
                    "vllm:lora_requests_info",
                    """
                    max_lora="\(parameters.maxLoRAs)",running_lora_adapters="\(adapters)",\
                    waiting_lora_adapters="\(adapters)"
                    """,
                    entry.unixTime
                )
            }
        }
        let size = parameters.blockSizeTokens
        let caching = parameters.prefixCaching ? "True" : "False"
        let (capacity, _) = parameters.blockCount.multipliedReportingOverflow(by: size)
        page.single(
            "vllm:cache_config_info", "gauge", "Information of the LLMEngine CacheConfig",
            """
            block_size="\(size)",cache_dtype="auto",enable_prefix_caching="\(caching)",\
            engine="0",gpu_memory_utilization="0.92",kv_cache_size_tokens="\(capacity)",num_cpu_blocks="None",\
            num_gpu_blocks="\(parameters.blockCount)",num_gpu_blocks_override="None",prefix_caching_hash_algo="sha256",\
            sliding_window="None"
            """,
            1
        )
    }
}
