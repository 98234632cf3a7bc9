import GatewayCore

/// The page of NVIDIA's DCGM exporter beside each endpoint, by HTTP.
struct DCGMDataSource: AttributeSource {
    static let descriptor = PluginDescriptor(
        type: "dcgm-data-source",
        stability: .alpha,
        summary: "Fetches the page of the DCGM exporter on each endpoint's host."
    )

    let settings: PageSourceSettings

    /// Reads `scheme` (default `http`), `path` (`/metrics`), `port` (9400), `insecureSkipVerify` and `interval` (1 s).
    /// `useNodeAddress` is without effect.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        var settings = PageSourceSettings(parameters, path: "/metrics")
        settings.port = parameters.int("port", default: 9400, in: 1...65_535)
        settings.interval = settings.interval ?? .seconds(1)
        self.settings = settings
        if parameters.bool("useNodeAddress", default: false) {
            parameters.warn(
                "has no effect: without a cluster no address of a node is known, and the endpoint's host is asked",
                at: "useNodeAddress"
            )
        }
    }
}

/// The share of its time in which the busiest GPU of an endpoint works, 0 ... 1, as the attribute `GPUUtilization`. An
/// exporter that tells of all pods of a node names each in the label `pod`, which must then be the endpoint's name.
struct DCGMExtractor: AttributeExtractor {
    static let descriptor = PluginDescriptor(
        type: "dcgm-extractor",
        stability: .alpha,
        summary: "Reads the utilization of each endpoint's busiest GPU."
    )

    let rules = [
        AttributeRule(
            key: "GPUUtilization/\(descriptor.type)",
            metric: MetricSpec(name: "DCGM_FI_DEV_GPU_UTIL"),
            ownerLabel: "pod",
            divisor: 100,
            range: 0...1
        )
    ]

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}
}
