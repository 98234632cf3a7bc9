import GatewayCore

/// The plugin types that configurations written for llm-d's endpoint picker may name and that this release does not
/// have. Each is refused with the reason, instead of as a spelling mistake.
enum UnavailablePlugins {
    /// One descriptor for each type.
    static let descriptors: [PluginDescriptor] =
        pending.map { descriptor($0, because: "it comes with a later release") }
        + kvEvents.map { descriptor($0, because: "this release does not read the engines' KV-cache events") }
        + multicluster.map { descriptor($0, because: "this release does not route between clusters") }
        + [
            descriptor(
                "predicted-latency-producer",
                because: "this release has no client for the latency predictor's servers"
            ),
            descriptor(
                "predicted-latency-scorer",
                because: "it was split: use latency-scorer with predicted-latency-producer, which this release lacks"
            ),
            descriptor("k8s-notification-source", because: "this release does not watch a cluster"),
        ]

    /// What needs the blocks that engines publish.
    private static let kvEvents = ["precise-prefix-cache-producer", "precise-prefix-cache-scorer"]

    /// What needs other clusters' gateways.
    private static let multicluster = [
        "multicluster-queue-scorer", "multicluster-kv-cache-utilization-scorer", "multicluster-prefix-cache-scorer",
        "multicluster-session-affinity-filter", "multicluster-approx-prefix-cache-producer",
        "multicluster-metrics-data-source", "multicluster-metrics-extractor", "multicluster-file-discovery",
    ]

    /// What is not here yet.
    private static let pending = [
        "disagg-profile-handler",
        "data-parallel-profile-handler",
        "pd-profile-handler",
        "header-profile-handler",
        "always-disagg-pd-decider",
        "prefix-based-pd-decider",
        "always-disagg-multimodal-decider",
        "disagg-headers-handler",
        "prefill-header-handler",
        "prefix-cache-affinity-filter",
        "slo-headroom-tier-filter",
        "endpoint-attribute-filter",
        "utilization-filter",
        "load-aware-scorer",
        "token-load-scorer",
        "active-request-scorer",
        "no-hit-lru-scorer",
        "latency-scorer",
        "mm-embeddings-cache-scorer",
        "endpoint-attribute-scorer",
        "inflight-load-producer",
        "token-producer",
        "tokenizer",
        "mm-embeddings-cache-producer",
        "burst-prefix-cache-producer",
        "p2p-source-producer",
        "latency-slo-admitter",
        "probabilistic-admitter",
        "request-attribute-reporter",
        "global-strict-fairness-policy",
        "round-robin-fairness-policy",
        "program-aware-fairness",
        "fcfs-ordering-policy",
        "edf-ordering-policy",
        "slo-deadline-ordering-policy",
        "static-usage-limit-policy",
        "priority-holdback-policy",
        "soft-reflective-ceiling-policy",
        "sheddable-eviction-filter",
        "priority-then-time-eviction-order-policy",
        "utilization-detector",
        "concurrency-detector",
        "models-data-source",
        "models-data-extractor",
        "endpoint-notification-source",
        "dcgm-data-source",
        "dcgm-extractor",
        "vllmgrpc-parser",
        "vertexai-parser",
    ]

    private static func descriptor(_ type: String, because obstacle: String) -> PluginDescriptor {
        PluginDescriptor(type: type, summary: "Not in this release: \(obstacle).", obstacle: obstacle)
    }
}
