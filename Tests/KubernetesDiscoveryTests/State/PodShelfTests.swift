import GatewayCore
import KubernetesClient
import KubernetesDiscovery
import Testing

@Suite("Pods become endpoints")
struct PodShelfTests {
    private func shelf(_ pods: [Pod], ports: [Int] = [8000]) -> PodShelf {
        var shelf = PodShelf(ports: ports)
        _ = shelf.apply(.replaced(pods))
        return shelf
    }

    @Test("one endpoint for each port, called after the pod and its rank")
    func ranks() {
        let shelf = shelf([Cluster.pod("b", address: "10.0.0.2"), Cluster.pod("a")], ports: [8000, 8001])
        let endpoints = shelf.endpoints
        #expect(endpoints.map(\.id.name) == ["a-rank-0", "a-rank-1", "b-rank-0", "b-rank-1"])
        #expect(endpoints.map(\.podName) == ["a", "a", "b", "b"])
        #expect(endpoints.map(\.id.namespace) == ["prod", "prod", "prod", "prod"])
        #expect(endpoints.map { "\($0.address.host):\($0.address.port)" }.first == "10.0.0.1:8000")
        #expect(endpoints[3].address.port == 8001)
        #expect(endpoints[0].labels == ["app": "llama"])
    }

    @Test("a pod that is not ready, is going or has no address is no endpoint")
    func eligibility() {
        let pods = [
            Cluster.pod("unready", isReady: false), Cluster.pod("going", deletionTimestamp: "2026-01-01T00:00:00Z"),
            Cluster.pod("new", address: ""), Cluster.pod("good"),
        ]
        let shelf = shelf(pods)
        #expect(shelf.endpoints.map(\.podName) == ["good"])
        #expect(shelf.count == 4)
    }

    @Test(
        "annotations limit the ports",
        arguments: [
            (["llm-d.ai/active-ports": "8001"], [1]),
            (["inference.networking.k8s.io/active-ports": "8000, 8002"], [0, 2]),
            (["llm-d.ai/active-ports": "8002", "inference.networking.k8s.io/active-ports": "8000"], [2]),
            (["llm-d.ai/active-ports": ""], []), (["llm-d.ai/active-ports": "9000"], []),
            (["llm-d.ai/active-ports": "x,8000"], [0]), ([:], [0, 1, 2]),
        ] as [([String: String], [Int])]
    )
    func activePorts(annotations: [String: String], ranks: [Int]) {
        let shelf = shelf([Cluster.pod("a", annotations: annotations)], ports: [8000, 8001, 8002])
        #expect(shelf.endpoints.map(\.id.name) == ranks.map { "a-rank-\($0)" })
    }

    @Test("an event says whether the endpoints are others")
    func changes() {
        var shelf = shelf([Cluster.pod("a")])
        func apply(_ event: ReflectorEvent<Pod>) -> Bool { shelf.apply(event) }
        #expect(!apply(.changed(Cluster.pod("a"))))
        #expect(!apply(.changed(Cluster.pod("b", isReady: false))))
        #expect(apply(.changed(Cluster.pod("b"))))
        #expect(apply(.changed(Cluster.pod("b", labels: ["app": "llama", "role": "prefill"]))))
        #expect(apply(.changed(Cluster.pod("b", isReady: false))))
        #expect(!apply(.removed(ObjectName(namespace: "prod", name: "b"))))
        #expect(!apply(.removed(ObjectName(namespace: "prod", name: "c"))))
        #expect(!apply(.removed(ObjectName(namespace: "dev", name: "a"))))
        #expect(!apply(.waiting(.unreachable("gone"))))
        #expect(!apply(.replaced([Cluster.pod("a")])))
        #expect(apply(.removed(ObjectName(namespace: "prod", name: "a"))))
        #expect(shelf.endpoints.isEmpty)
    }

    @Test("other ports give every pod other ranks")
    func ports() {
        var shelf = shelf([Cluster.pod("a")])
        func setPorts(_ ports: [Int]) -> Bool { shelf.setPorts(ports) }
        #expect(setPorts([8000, 9000]))
        #expect(shelf.endpoints.map(\.address.port) == [8000, 9000])
        #expect(!setPorts([8000, 9000]))
        #expect(setPorts([9000, 8000]), "the order is the ranks'")
    }

    /// The same events to a dictionary of pods: slower, and simple enough to be right.
    @Test("random events leave what a dictionary would have", arguments: 1...50)
    func randomEvents(seed: UInt64) {
        var random = RandomSource(seed: seed)
        var shelf = PodShelf(ports: [8000, 8001])
        var truth: [String: Pod] = [:]
        for _ in 0..<200 {
            let name = "pod-\(Int.random(in: 0..<20, using: &random))"
            let before = shelf.endpoints
            let isChanged: Bool
            switch Int.random(in: 0..<10, using: &random) {
            case 0:
                let pods = (0..<10).map { Cluster.pod("pod-\($0)", isReady: .random(using: &random)) }
                truth = Dictionary(uniqueKeysWithValues: pods.map { ($0.metadata.name, $0) })
                isChanged = shelf.apply(.replaced(pods.shuffled(using: &random)))
            case 1...3:
                truth[name] = nil
                isChanged = shelf.apply(.removed(ObjectName(namespace: "prod", name: name)))
            default:
                let pod = Cluster.pod(name, address: "10.0.0.\(Int.random(in: 1..<4, using: &random))")
                truth[name] = pod
                isChanged = shelf.apply(.changed(pod))
            }
            let expected = truth.values.filter(\.isEligible).map(\.metadata.name).sorted()
            #expect(shelf.endpoints.map(\.podName) == expected.flatMap { [$0, $0] })
            #expect(isChanged == (shelf.endpoints != before))
            #expect(shelf.count == truth.count)
        }
    }
}
