import GatewayCore

/// The plugin types that configurations written for llm-d's endpoint picker may name and that this release does not
/// have. Each is refused with the reason, instead of as a spelling mistake.
enum UnavailablePlugins {
    /// One descriptor for each type.
    static let descriptors: [PluginDescriptor] =
        kvEvents.map { descriptor($0, because: "this release does not read the engines' KV-cache events") }
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

    private static func descriptor(_ type: String, because obstacle: String) -> PluginDescriptor {
        PluginDescriptor(type: type, summary: "Not in this release: \(obstacle).", obstacle: obstacle)
    }
}
