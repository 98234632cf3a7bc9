import GatewayCore

/// Reads how near endpoints are to the one that an earlier profile of the same request chose, its peer.
private struct PeerProximity: Sendable {
    private let topology: DataReader<Topology>
    private let peer: DataReader<EndpointSnapshot>

    /// Reads `topologyProducerName` (default: `topology-extractor`).
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        topology = context.consume(Topology.key, producerNamedAt: "topologyProducerName", in: parameters)
        peer = context.consume(PeerEndpoint.key, requirement: .optional)
    }

    /// The peer's name; `nil` when the request has none yet.
    func peerID(_ scratch: RequestScratch) -> EndpointID? { scratch[peer]?.id }

    /// The nearest place that an endpoint shares with the peer, as a function of the endpoint; `nil` when the request
    /// has no peer yet.
    func tiers(_ scratch: RequestScratch) -> ((EndpointSnapshot) -> Topology.Tier?)? {
        guard let topology = scratch[topology], let peer = scratch[peer] else { return nil }
        let places = topology.places(of: peer)
        return { topology.nearest(of: places, to: $0) }
    }
}

/// Keeps the endpoints that are near to the peer. All stay when there is no peer, or nobody near to it: nearness is
/// worth having and never worth a refusal.
struct TopologyAffinityFilter: Filter {
    static let descriptor = PluginDescriptor(
        type: "topology-affinity-filter",
        stability: .alpha,
        summary: "Keeps endpoints near to the one that an earlier profile chose."
    )

    private let proximity: PeerProximity
    private let farthest: Topology.Tier

    /// Reads `minAffinity` (default `host`): the farthest place that is still near, and `topologyProducerName`
    /// (default: `topology-extractor`).
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        proximity = PeerProximity(parameters: parameters, context: &context)
        // The format takes an empty text for the default.
        let isEmpty = parameters.value("minAffinity")?.content == .string("")
        farthest = isEmpty ? .host : parameters.enumeration("minAffinity", default: .host)
    }

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {
        guard let tier = proximity.tiers(context.scratch) else { return }
        candidates.keep(orAll: true) { endpoint in tier(endpoint).map { $0 <= farthest } ?? false }
    }

    func rule(in context: SchedulingContext) -> String {
        "in the \(farthest.rawValue) of \(proximity.peerID(context.scratch)?.description ?? "the peer")"
    }
}

/// Prefers the endpoints that are near to the peer: 1 on the same host, 0.2 in the same rack, 0.05 in the same zone,
/// 0.02 in the same region, else 0. The steps follow the bandwidth between the places, so the same host outweighs all
/// others.
struct TopologyAffinityScorer: Scorer {
    static let descriptor = PluginDescriptor(
        type: "topology-affinity-scorer",
        stability: .alpha,
        summary: "Prefers endpoints near to the one that an earlier profile chose."
    )

    private let proximity: PeerProximity

    /// Reads `topologyProducerName` (default: `topology-extractor`).
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        proximity = PeerProximity(parameters: parameters, context: &context)
    }

    func score(_ candidates: Candidates, context: SchedulingContext, into scores: inout MutableSpan<Double>) {
        guard let tier = proximity.tiers(context.scratch) else { return }
        for index in scores.indices {
            scores[index] =
                switch tier(candidates[index]) {
                case .host: 1
                case .rack: 0.2
                case .zone: 0.05
                case .region: 0.02
                case nil: 0
                }
        }
    }
}
