package import NIOCore

/// A Prometheus page with the families, labels and size (about 57 kB) of a vLLM 0.32 server, all values constant.
///
/// A gateway reads five numbers of such a page many times a second; the histograms are there because a real page
/// makes it skip them.
package enum MetricsPage {
    /// The page of a server that serves `modelName`.
    package static func make(modelName: String) -> ByteBuffer {
        let labels = #"engine="0",model_name="\#(modelName)""#
        var page = ByteBuffer()
        for (name, value) in [("num_requests_running", "2.0"), ("num_requests_waiting", "1.0")] {
            append(name, "gauge", [("", labels, value)], to: &page)
        }
        append("kv_cache_usage_perc", "gauge", [("", labels, "0.25")], to: &page)
        let cache = #"block_size="16",cache_dtype="auto",num_gpu_blocks="8192",enable_prefix_caching="True","#
        append("cache_config_info", "gauge", [("", cache + labels, "1.0")], to: &page)
        let adapters = #"max_lora="4",running_lora_adapters="",waiting_lora_adapters="""#
        append("lora_requests_info", "gauge", [("", adapters, "1.7e+09")], to: &page)
        for name in ["prefix_cache_queries", "prefix_cache_hits", "prompt_tokens", "generation_tokens"] {
            append(name, "counter", [("_total", labels, "123456.0")], to: &page)
        }
        for name in histograms {
            append(name, "histogram", histogramSamples(labels: labels), to: &page)
        }
        return page
    }

    private static let histograms = [
        "iteration_tokens_total", "time_to_first_token_seconds", "inter_token_latency_seconds",
        "request_time_per_output_token_seconds", "e2e_request_latency_seconds", "request_queue_time_seconds",
        "request_inference_time_seconds", "request_prefill_time_seconds", "request_decode_time_seconds",
        "request_prompt_tokens", "request_generation_tokens", "request_params_n", "request_params_max_tokens",
        "request_max_num_generation_tokens", "request_prefill_kv_computed_tokens", "kv_block_lifetime_seconds",
        "kv_block_idle_before_evict_seconds", "kv_block_reuse_gap_seconds", "spec_decode_draft_tokens",
        "spec_decode_accepted_tokens", "external_prefix_cache_seconds", "kv_transfer_seconds",
    ]

    private static func histogramSamples(labels: String) -> [(suffix: String, labels: String, value: String)] {
        let bounds = [
            "0.001", "0.005", "0.01", "0.02", "0.04", "0.06", "0.08", "0.1", "0.25", "0.5", "0.75", "1.0", "2.5", "5.0",
            "7.5", "10.0", "20.0", "40.0", "80.0", "160.0", "640.0", "2560.0", "+Inf",
        ]
        return bounds.map { ("_bucket", labels + #",le="\#($0)""#, "31.0") }
            + [("_count", labels, "31.0"), ("_sum", labels, "12.75")]
    }

    private static func append(
        _ name: String,
        _ type: String,
        _ samples: [(suffix: String, labels: String, value: String)],
        to page: inout ByteBuffer
    ) {
        page.writeString("# HELP vllm:\(name) A constant of the benchmark backend.\n# TYPE vllm:\(name) \(type)\n")
        for sample in samples {
            page.writeString("vllm:\(name)\(sample.suffix){\(sample.labels)} \(sample.value)\n")
        }
    }
}
