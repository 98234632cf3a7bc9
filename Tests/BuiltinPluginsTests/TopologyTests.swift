import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

@Suite struct TopologyTests {
    /// A filter and a scorer, and requests of which an earlier profile chose a peer.
    private struct Plugins {
        let filter: TopologyAffinityFilter
        let scorer: TopologyAffinityScorer
        let extractor: TopologyExtractor
        private let peer: DataWriter<EndpointSnapshot>
        private let slotCount: Int

        init(extractor parameters: ConfigurationValue? = nil, filter filterParameters: ConfigurationValue? = nil) throws
        {
            var context = PluginContext(clock: SystemMonotonicClock())
            filter = try make(TopologyAffinityFilter.self, filterParameters, context: &context)
            scorer = try make(TopologyAffinityScorer.self, context: &context)
            extractor = try make(TopologyExtractor.self, parameters, context: &context)
            peer = context.produce(PeerEndpoint.key, as: PeerEndpoint.producer)
            slotCount = context.slotCount
        }

        func context(peer endpoint: EndpointSnapshot?, isExtracted: Bool = true) -> SchedulingContext {
            var context = SchedulingContext.sample(slotCount: slotCount)
            if isExtracted { extractor.produce(for: Candidates([]), context: &context) }
            context.scratch[peer] = endpoint
            return context
        }

        func kept(_ candidates: Candidates, peer: EndpointSnapshot?) -> [Int] {
            var (candidates, context) = (candidates, context(peer: peer))
            filter.filter(&candidates, context: &context)
            return candidates.positions
        }
    }

    private static func labels(_ host: String?, _ rack: String?, _ zone: String?, _ region: String?) -> [String: String]
    {
        let pairs = [
            ("kubernetes.io/hostname", host), ("topology.kubernetes.io/rack", rack),
            ("topology.kubernetes.io/zone", zone), ("topology.kubernetes.io/region", region),
        ]
        return Dictionary(uniqueKeysWithValues: pairs.compactMap { key, value in value.map { (key, $0) } })
    }

    private let peer = EndpointSnapshot.sample("peer", slot: 9, labels: Self.labels("h1", "r1", "z1", "g1"))
    private let candidates = Candidates([
        .sample("host", slot: 0, labels: Self.labels("h1", "r2", nil, nil)),
        .sample("rack", slot: 1, labels: Self.labels("h2", "r1", "z1", "g1")),
        .sample("zone", slot: 2, labels: Self.labels("h3", "r2", "z1", "g1")),
        .sample("region", slot: 3, labels: Self.labels("", nil, "z2", "g1")),
        .sample("far", slot: 4, labels: Self.labels("h4", "r4", "z4", "g4")),
        .sample("unknown", slot: 5),
    ])

    @Test func nearnessIsScored() throws {
        let plugins = try Plugins()
        #expect(scores(plugins.scorer, candidates, context: plugins.context(peer: peer)) == [1, 0.2, 0.05, 0.02, 0, 0])
    }

    @Test(arguments: [("", [0]), ("host", [0]), ("rack", [0, 1]), ("zone", [0, 1, 2]), ("region", [0, 1, 2, 3])])
    func theNearAreKept(farthest: String, expected: [Int]) throws {
        let plugins = try Plugins(filter: ["minAffinity": .init(stringLiteral: farthest)])
        #expect(plugins.kept(candidates, peer: peer) == expected)
        #expect(try Plugins().kept(candidates, peer: peer) == [0])
    }

    @Test func allStayWhenNobodyIsNear() throws {
        let plugins = try Plugins()
        let everybody = Array(0..<6)
        // No peer, a peer of unknown place, and one that is far from all.
        #expect(plugins.kept(candidates, peer: nil) == everybody)
        #expect(plugins.kept(candidates, peer: .sample("p")) == everybody)
        #expect(plugins.kept(candidates, peer: .sample("p", labels: Self.labels("h9", nil, nil, nil))) == everybody)
        let none = [Double](repeating: 0, count: 6)
        #expect(scores(plugins.scorer, candidates, context: plugins.context(peer: nil)) == none)
        #expect(scores(plugins.scorer, candidates, context: plugins.context(peer: .sample("p"))) == none)
        let unread = plugins.context(peer: peer, isExtracted: false)
        #expect(scores(plugins.scorer, candidates, context: unread) == none)
    }

    @Test func emptyPlacesAreNotShared() throws {
        let plugins = try Plugins()
        let blank = EndpointSnapshot.sample("blank", labels: Self.labels("", "", "", ""))
        #expect(scores(plugins.scorer, Candidates([blank]), context: plugins.context(peer: blank)) == [0])
    }

    @Test func theLabelsCanBeChosen() throws {
        let plugins = try Plugins(extractor: ["hostname": "node", "rack": ""])
        let here = EndpointSnapshot.sample("p", labels: ["node": "n", "topology.kubernetes.io/rack": "r"])
        let others = Candidates([
            .sample("same", slot: 0, labels: ["node": "n"]),
            .sample("rack", slot: 1, labels: ["topology.kubernetes.io/rack": "r"]),
            .sample("other", slot: 2, labels: ["kubernetes.io/hostname": "n"]),
        ])
        #expect(scores(plugins.scorer, others, context: plugins.context(peer: here)) == [1, 0.2, 0])
    }

    @Test func refusesBadParameters() {
        let text = failure(TopologyAffinityFilter.self, ["minAffinity": "hosts"])
        #expect(text?.contains("\"hosts\" is not one of host, rack, zone, region") == true)
        #expect(failure(TopologyExtractor.self, ["hostName": "a"])?.contains("did you mean \"hostname\"?") == true)
    }
}
