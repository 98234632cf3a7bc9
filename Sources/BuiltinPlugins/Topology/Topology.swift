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

    /// The nearest place that two endpoints share; `nil` when they share none. A label that is absent or empty on
    /// either side is no place.
    func nearestShared(_ one: EndpointSnapshot, _ other: EndpointSnapshot) -> Tier? {
        labels.first { _, key in
            guard let place = one.labels[key], !place.isEmpty else { return false }
            return other.labels[key] == place
        }?.tier
    }
}
