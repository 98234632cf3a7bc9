import GatewayCore

/// Where endpoints stand, as their labels tell: on which host, in which rack, zone and region.
final class Topology: Sendable {
    /// The key.
    static let key = DataKey<Topology>("Topology", defaultProducer: TopologyExtractor.descriptor.type)

    /// A place that endpoints can share, from the nearest to the farthest. Who shares a nearer place shares the farther
    /// ones too, whatever their labels say.
    enum Tier: String, CaseIterable, Comparable, Sendable {
        case host, rack, zone, region

        static func < (left: Tier, right: Tier) -> Bool { left.order < right.order }

        private var order: Int {
            switch self {
            case .host: 0
            case .rack: 1
            case .zone: 2
            case .region: 3
            }
        }
    }

    /// The label that names the place of each tier.
    private let labels: [(tier: Tier, key: String)]

    /// Makes a topology from the labels that name the places, nearest first.
    init(host: String, rack: String, zone: String, region: String) {
        labels = [(.host, host), (.rack, rack), (.zone, zone), (.region, region)]
    }

    /// Where one endpoint stands: the places that it names, nearest first.
    struct Places {
        fileprivate let named: [(tier: Tier, key: String, place: String)]
    }

    /// Where `endpoint` stands. A label that is absent or empty is no place.
    func places(of endpoint: EndpointSnapshot) -> Places {
        Places(
            named: labels.compactMap { tier, key in
                guard let place = endpoint.labels[key], !place.isEmpty else { return nil }
                return (tier, key, place)
            }
        )
    }

    /// The nearest of `places` where `endpoint` stands too; `nil` when there is none.
    func nearest(of places: Places, to endpoint: EndpointSnapshot) -> Tier? {
        places.named.first { endpoint.labels[$0.key] == $0.place }?.tier
    }
}
