/// Where one engine's metrics page tells what the gateway wants to know.
///
/// A field without a specification is one that the engine does not publish; it keeps its default.
public struct EngineMetricMapping: Hashable, Sendable {
    /// A gauge or counter whose value becomes an attribute of the endpoint.
    public struct CustomMetric: Hashable, Sendable {
        /// The attribute's key, `name/producer`; see ``EndpointSnapshot/attributes``.
        public var key: String
        /// The series.
        public var metric: MetricSpec

        /// Makes a metric.
        public init(key: String, metric: MetricSpec) {
            self.key = key
            self.metric = metric
        }
    }

    /// The engine's name, as its label on an endpoint gives it.
    public var name: String
    /// Requests that wait; see ``EndpointMetrics/waitingQueueSize``.
    public var queuedRequests: MetricSpec?
    /// Requests that run; see ``EndpointMetrics/runningRequests``.
    public var runningRequests: MetricSpec?
    /// The share of the KV cache in use, 0 ... 1; see ``EndpointMetrics/kvCacheUsage``.
    public var kvCacheUsage: MetricSpec?
    /// The family whose labels `running_lora_adapters`, `waiting_lora_adapters` and `max_lora` tell of adapters; the
    /// series with the largest value is the current one.
    public var loraInfo: MetricSpec?
    /// An info gauge that tells of the KV cache by the two labels below.
    public var cacheInfo: MetricSpec?
    /// The label of ``cacheInfo`` that holds the tokens per block.
    public var cacheBlockSizeLabel: String
    /// The label of ``cacheInfo`` that holds the number of blocks.
    public var cacheBlockCountLabel: String
    /// A gauge whose value is the tokens per block; an engine may publish it, ``cacheInfo``, or either by version.
    public var cacheBlockSize: MetricSpec?
    /// A gauge whose value is the number of blocks; see ``cacheBlockSize``.
    public var cacheBlockCount: MetricSpec?
    /// A counter that begins at 0 when the engine starts and grows with its work. Only its fall is looked at, which
    /// tells of a restart; see ``EndpointMetrics/engineRestarts``.
    public var workDone: MetricSpec?
    /// What else is read as attributes; each key once.
    public var customMetrics: [CustomMetric]

    /// Makes a mapping; see the properties. The label names default to vLLM's.
    public init(
        name: String,
        queuedRequests: MetricSpec? = nil,
        runningRequests: MetricSpec? = nil,
        kvCacheUsage: MetricSpec? = nil,
        loraInfo: MetricSpec? = nil,
        cacheInfo: MetricSpec? = nil,
        cacheBlockSizeLabel: String = "block_size",
        cacheBlockCountLabel: String = "num_gpu_blocks",
        cacheBlockSize: MetricSpec? = nil,
        cacheBlockCount: MetricSpec? = nil,
        workDone: MetricSpec? = nil,
        customMetrics: [CustomMetric] = []
    ) {
        self.name = name
        self.queuedRequests = queuedRequests
        self.runningRequests = runningRequests
        self.kvCacheUsage = kvCacheUsage
        self.loraInfo = loraInfo
        self.cacheInfo = cacheInfo
        self.cacheBlockSizeLabel = cacheBlockSizeLabel
        self.cacheBlockCountLabel = cacheBlockCountLabel
        self.cacheBlockSize = cacheBlockSize
        self.cacheBlockCount = cacheBlockCount
        self.workDone = workDone
        self.customMetrics = customMetrics
    }
}

extension EngineMetricMapping {
    /// The mappings of the engines that the gateway knows, in the order in which an engine is recognised by its page.
    public static let builtin: [EngineMetricMapping] = [
        EngineMetricMapping(
            name: "vllm",
            queuedRequests: MetricSpec(name: "vllm:num_requests_waiting"),
            runningRequests: MetricSpec(name: "vllm:num_requests_running"),
            kvCacheUsage: MetricSpec(name: "vllm:kv_cache_usage_perc"),
            loraInfo: MetricSpec(name: "vllm:lora_requests_info"),
            cacheInfo: MetricSpec(name: "vllm:cache_config_info"),
            workDone: MetricSpec(name: "vllm:prompt_tokens_total")
        ),
        // Some versions of SGLang tell the cache's size by an info gauge, others by two gauges.
        EngineMetricMapping(
            name: "sglang",
            queuedRequests: MetricSpec(name: "sglang:num_queue_reqs"),
            runningRequests: MetricSpec(name: "sglang:num_running_reqs"),
            kvCacheUsage: MetricSpec(name: "sglang:token_usage"),
            cacheInfo: MetricSpec(name: "sglang:cache_config_info"),
            cacheBlockSizeLabel: "page_size",
            cacheBlockCountLabel: "num_pages",
            cacheBlockSize: MetricSpec(name: "sglang:page_size"),
            cacheBlockCount: MetricSpec(name: "sglang:num_pages"),
            workDone: MetricSpec(name: "sglang:prompt_tokens_total")
        ),
        EngineMetricMapping(
            name: "trtllm-serve",
            queuedRequests: MetricSpec(name: "trtllm_num_requests_waiting"),
            runningRequests: MetricSpec(name: "trtllm_num_requests_running"),
            kvCacheUsage: MetricSpec(name: "trtllm_kv_cache_utilization"),
            cacheBlockSize: MetricSpec(name: "trtllm_kv_cache_tokens_per_block"),
            cacheBlockCount: MetricSpec(name: "trtllm_kv_cache_max_blocks")
        ),
        EngineMetricMapping(
            name: "triton-tensorrt-llm",
            queuedRequests: tritonSeries("nv_trt_llm_request_metrics", "request_type", "waiting"),
            runningRequests: tritonSeries("nv_trt_llm_request_metrics", "request_type", "scheduled"),
            kvCacheUsage: tritonSeries("nv_trt_llm_kv_cache_block_metrics", "kv_cache_block_type", "fraction"),
            cacheBlockSize: tritonSeries("nv_trt_llm_kv_cache_block_metrics", "kv_cache_block_type", "tokens_per"),
            cacheBlockCount: tritonSeries("nv_trt_llm_kv_cache_block_metrics", "kv_cache_block_type", "max")
        ),
        EngineMetricMapping(
            name: "triton",
            queuedRequests: MetricSpec(name: "nv_inference_pending_request_count"),
            runningRequests: MetricSpec(name: "nv_inference_exec_count")
        ),
        EngineMetricMapping(
            name: "llamacpp",
            queuedRequests: MetricSpec(name: "llamacpp:requests_deferred"),
            runningRequests: MetricSpec(name: "llamacpp:requests_processing"),
            workDone: MetricSpec(name: "llamacpp:prompt_tokens_total")
        ),
    ]

    private static func tritonSeries(_ name: String, _ label: String, _ value: String) -> MetricSpec {
        MetricSpec(name: name, labels: [MetricSpec.Label(name: label, value: value)])
    }
}

/// The engines that a pool may have, and how an endpoint's engine is found.
public struct EngineMappings: Hashable, Sendable {
    /// The label that is looked at when ``engineLabel`` is absent; the name that earlier deployments use.
    public static let legacyEngineLabel = "inference.networking.k8s.io/engine-type"

    /// The label that names an endpoint's engine.
    public var engineLabel: String
    /// The engine of an endpoint whose labels name none, or name one that has no mapping; present in ``mappings``.
    public var defaultEngine: String
    /// The engines, in the order in which an engine is recognised by its page.
    public var mappings: [EngineMetricMapping]

    /// Makes a table; see the properties.
    public init(
        engineLabel: String = "llm-d.ai/engine-type",
        defaultEngine: String = "vllm",
        mappings: [EngineMetricMapping] = EngineMetricMapping.builtin
    ) {
        self.engineLabel = engineLabel
        self.defaultEngine = defaultEngine
        self.mappings = mappings
    }

    /// The mapping of the engine called `name`; `nil` when there is none.
    public func mapping(named name: String) -> EngineMetricMapping? {
        mappings.first { $0.name == name }
    }

    /// The engine that `labels` name; `nil` when they name none.
    public func engineName(labels: [String: String]) -> String? {
        labels[engineLabel] ?? labels[Self.legacyEngineLabel]
    }

    /// The mapping of an endpoint with `labels`: by its engine label, else the default one; `nil` when not even the
    /// default engine has a mapping.
    public func mapping(labels: [String: String]) -> EngineMetricMapping? {
        engineName(labels: labels).flatMap(mapping(named:)) ?? mapping(named: defaultEngine)
    }
}
