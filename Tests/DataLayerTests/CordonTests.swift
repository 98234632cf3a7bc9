import DataLayer
import GatewayCore
import GatewayTesting
import Synchronization
import Testing

@Suite("Endpoints that an operator takes out") struct CordonTests {
    private let clock = ManualClock()

    private func makeStore(_ names: [String]) -> EndpointStore {
        let store = EndpointStore(pool: PoolID(name: "pool"), clock: clock)
        store.replaceEndpoints(names.enumerated().map { .made($1, port: $0) })
        return store
    }

    private func available(_ store: EndpointStore) -> [String] { store.current.available.map(\.id.name) }

    @Test func oneThatIsOutIsNoCandidateAndComesBack() {
        let store = makeStore(["a", "b"])
        #expect(store.setCordoned(true, endpoint: EndpointID(name: "a")))
        #expect(available(store) == ["b"])
        #expect(store.current.endpoints.count == 2)
        #expect(store.current.cordoned == [EndpointID(name: "a")])
        #expect(store.setCordoned(false, endpoint: EndpointID(name: "a")))
        #expect(available(store) == ["a", "b"])
        #expect(store.current.cordoned.isEmpty)
    }

    @Test func nobodyHasAnUnknownName() {
        let store = makeStore(["a"])
        #expect(!store.setCordoned(true, endpoint: EndpointID(name: "b")))
        #expect(!store.setCordoned(true, endpoint: EndpointID(namespace: "other", name: "a")))
        #expect(available(store) == ["a"])
    }

    @Test func whatRunsGoesOn() {
        let store = makeStore(["a", "b"])
        let endpoint = store.current.endpoints[0]
        let lease = store.open(endpoint, tokens: 5)
        #expect(store.setCordoned(true, endpoint: endpoint.id))
        #expect(endpoint.load.requests == 1 && store.ledger.openLeases == 1)
        lease.close(.completed)
        #expect(endpoint.load.requests == 0 && store.ledger.openLeases == 0)
        #expect(available(store) == ["b"])
    }

    @Test func ejectionAndCordonDoNotEndEachOther() {
        let store = makeStore(["a", "b"])
        let endpoint = store.current.endpoints[0]
        for _ in 0..<3 { store.open(endpoint, tokens: 1).close(.connectFailed, detail: "refused") }
        #expect(store.setCordoned(true, endpoint: endpoint.id))
        #expect(store.current.outages.map(\.id) == [endpoint.id])
        store.scrapeAnswered(EndpointLife(endpoint), startedAt: clock.now.advanced(by: .milliseconds(1)))
        #expect(available(store) == ["b"])
        #expect(store.setCordoned(false, endpoint: endpoint.id))
        #expect(available(store) == ["a", "b"], "half-open: a trial is welcome")
        store.open(store.current.endpoints[0], tokens: 1).close(.completed)
        #expect(store.current.outages.isEmpty)
        #expect(store.current.validUntil == nil, "nothing depends on time any more")
    }

    @Test func itLastsThroughOtherSetsAsLongAsTheLife() {
        let store = makeStore(["a", "b"])
        #expect(store.setCordoned(true, endpoint: EndpointID(name: "a")))
        store.replaceEndpoints([.made("c", port: 2), .made("a", labels: ["zone": "x"]), .made("b", port: 1)])
        #expect(available(store) == ["c", "b"])
        store.replaceEndpoints([.made("a", port: 7), .made("b", port: 1)])
        #expect(available(store) == ["a", "b"], "another address is another server")
        #expect(store.current.cordoned.isEmpty)
    }

    @Test func whoWaitsIsToldOfRoom() {
        let store = makeStore(["a"])
        let calls = Mutex(0)
        store.onRoom { calls.withLock { $0 += 1 } }
        #expect(store.setCordoned(true, endpoint: EndpointID(name: "a")))
        #expect(store.setCordoned(false, endpoint: EndpointID(name: "a")))
        #expect(calls.withLock { $0 } == 2)
        #expect(!store.setCordoned(false, endpoint: EndpointID(name: "x")))
        #expect(calls.withLock { $0 } == 2)
    }

    @Test("the candidates are those that neither a cordon nor an ejection takes out", arguments: 1...50)
    func mixes(seed: UInt64) throws {
        var random = RandomSource(seed: seed)
        let names = (0..<6).map { "e\($0)" }
        let store = makeStore(names)
        var cordoned: Set<String> = []
        var present = names
        for _ in 0..<60 {
            let name = names[Int.random(in: 0..<names.count, using: &random)]
            switch Int.random(in: 0..<5, using: &random) {
            case 0:
                let known = store.setCordoned(true, endpoint: EndpointID(name: name))
                #expect(known == present.contains(name))
                if known { cordoned.insert(name) }
            case 1:
                if store.setCordoned(false, endpoint: EndpointID(name: name)) { cordoned.remove(name) }
            case 2:
                let endpoint = store.current.endpoints.first { $0.id.name == name }
                if let endpoint { store.open(endpoint, tokens: 1).close(.gatewayError, detail: "broken") }
            case 3:
                present = names.filter { _ in Int.random(in: 0..<4, using: &random) > 0 }
                store.replaceEndpoints(present.map { .made($0, port: names.firstIndex(of: $0) ?? 0) })
                cordoned.formIntersection(present)
            default: clock.advance(by: .seconds(Int.random(in: 0..<40, using: &random)))
            }
            let view = store.current
            #expect(Set(view.cordoned.map(\.name)) == cordoned)
            #expect(cordoned.isDisjoint(with: view.available.map(\.id.name)))
            let gone = cordoned.union(view.outages.map(\.id.name))
            #expect(Set(present).subtracting(gone).isSubset(of: view.available.map(\.id.name)))
        }
    }
}
