import GatewayCore

/// Says by which labels endpoints tell where they stand.
struct TopologyExtractor: DataProducer, EndpointExtractor {
    static let descriptor = PluginDescriptor(
        type: "topology-extractor",
        stability: .alpha,
        summary: "Reads from labels on which host and in which rack, zone and region endpoints are."
    )

    private let topology: Topology
    private let writer: DataWriter<Topology>

    /// Reads the labels' keys `hostname` (default `kubernetes.io/hostname`) and `rack`, `zone` and `region` (default
    /// `topology.kubernetes.io/` with the same word behind it). An empty one means the default.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        func key(_ name: String, default fallback: String) -> String {
            let key = parameters.string(name, default: fallback)
            return key.isEmpty ? fallback : key
        }
        topology = Topology(
            host: key("hostname", default: "kubernetes.io/hostname"),
            rack: key("rack", default: "topology.kubernetes.io/rack"),
            zone: key("zone", default: "topology.kubernetes.io/zone"),
            region: key("region", default: "topology.kubernetes.io/region")
        )
        writer = context.produce(Topology.key)
    }

    func produce(for candidates: Candidates, context: inout SchedulingContext) {
        context.scratch[writer] = topology
    }
}
