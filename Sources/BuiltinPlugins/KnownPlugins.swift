/// The plugin types that configurations written for llm-d's endpoint picker may name.
///
/// A type that is listed here and not registered is refused with a sentence that says so, instead of as a spelling
/// mistake.
package enum KnownPlugins {
    /// Every type name of the configuration format's reference, in the order of its documentation.
    package static let types: [String] = [
        "single-profile-handler", "disagg-profile-handler", "data-parallel-profile-handler", "pd-profile-handler",
        "header-profile-handler",

        "always-disagg-pd-decider", "prefix-based-pd-decider", "always-disagg-multimodal-decider",
        "disagg-headers-handler", "prefill-header-handler",

        "label-selector-filter", "by-label-selector", "by-label", "decode-filter", "prefill-filter", "encode-filter",
        "prefix-cache-affinity-filter", "slo-headroom-tier-filter", "session-affinity-filter",
        "endpoint-attribute-filter", "topology-affinity-filter", "utilization-filter",
        "multicluster-session-affinity-filter", "header-based-testing-filter",

        "queue-scorer", "kv-cache-utilization-scorer", "running-requests-size-scorer", "lora-affinity-scorer",
        "prefix-cache-scorer", "precise-prefix-cache-scorer", "load-aware-scorer", "context-length-aware",
        "token-load-scorer", "active-request-scorer", "no-hit-lru-scorer", "latency-scorer",
        "mm-embeddings-cache-scorer", "session-affinity-scorer", "header-label-affinity-scorer",
        "endpoint-attribute-scorer", "topology-affinity-scorer", "multicluster-queue-scorer",
        "multicluster-kv-cache-utilization-scorer", "multicluster-prefix-cache-scorer",

        "max-score-picker", "random-picker", "weighted-random-picker",

        "approx-prefix-cache-producer", "precise-prefix-cache-producer", "inflight-load-producer",
        "predicted-latency-producer", "token-producer", "tokenizer", "mm-embeddings-cache-producer",
        "session-id-producer", "burst-prefix-cache-producer", "p2p-source-producer",
        "multicluster-approx-prefix-cache-producer",

        "disaggregatedset-rollout-screener",
        "latency-slo-admitter", "probabilistic-admitter",
        "agent-identity",
        "request-attribute-reporter", "destination-endpoint-served-verifier",

        "global-strict-fairness-policy", "round-robin-fairness-policy", "program-aware-fairness",
        "fcfs-ordering-policy", "edf-ordering-policy", "slo-deadline-ordering-policy", "static-usage-limit-policy",
        "priority-holdback-policy", "soft-reflective-ceiling-policy", "sheddable-eviction-filter",
        "priority-then-time-eviction-order-policy", "utilization-detector", "concurrency-detector",

        "metrics-data-source", "core-metrics-extractor", "models-data-source", "models-data-extractor",
        "k8s-notification-source", "endpoint-notification-source", "dcgm-data-source", "dcgm-extractor",
        "topology-extractor", "multicluster-metrics-data-source", "multicluster-metrics-extractor",

        "file-discovery", "multicluster-file-discovery",

        "openai-parser", "anthropic-parser", "vllmhttp-parser", "sglanghttp-parser", "vllmgrpc-parser",
        "vertexai-parser", "passthrough-parser",
    ]
}
