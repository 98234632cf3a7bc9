import DataLayer
import GatewayCore
import GatewayTesting
import Synchronization
import Telemetry
import Testing

@Suite struct RequestLeaseTests {
    @Test func aLeaseCountsFromOpenToClose() {
        let store = EndpointStore(pool: PoolID(name: "pool"), clock: ManualClock())
        store.replaceEndpoints([.made("a")])
        let endpoint = store.current.endpoints[0]
        let first = store.open(endpoint, tokens: 100)
        let second = store.open(endpoint, tokens: 23)
        #expect(endpoint.load.requests == 2 && endpoint.load.tokens == 123)
        #expect(store.ledger.openLeases == 2)
        first.close(.completed)
        #expect(endpoint.load.requests == 1 && endpoint.load.tokens == 23)
        second.close(.clientDisconnected)
        #expect(endpoint.load.requests == 0 && endpoint.load.tokens == 0)
        #expect(store.ledger.openLeases == 0)
    }

    /// Those who compute the prompt are free when the response begins; the request itself counts to its end.
    @Test func whatCountsForThePromptOnlyEndsWithTheFirstByte() {
        let store = EndpointStore(pool: PoolID(name: "pool"), clock: ManualClock())
        store.replaceEndpoints([.made("a"), .made("b"), .made("c")])
        let endpoints = store.current.endpoints
        var lease = store.open(
            endpoints[0],
            load: LoadEstimate(tokens: 100),
            supporting: [
                SupportingLoad(endpoint: endpoints[1], tokens: 100, lastsToEnd: false),
                SupportingLoad(endpoint: endpoints[2], tokens: 7, lastsToEnd: true),
            ]
        )
        #expect(endpoints.map(\.load.requests) == [1, 1, 1])
        #expect(endpoints.map(\.load.tokens) == [100, 100, 7])
        #expect(store.ledger.openLeases == 1)
        lease.firstByteReceived()
        lease.firstByteReceived()
        #expect(endpoints.map(\.load.requests) == [1, 0, 1])
        #expect(endpoints.map(\.load.tokens) == [0, 0, 7])
        lease.close(.completed)
        #expect(endpoints.map(\.load.requests) == [0, 0, 0])
        #expect(endpoints.map(\.load.tokens) == [0, 0, 0])
        #expect(store.ledger.openLeases == 0)
    }

    /// The gauges follow the ledger, of every endpoint that works for the request, also when the lease is lost.
    @Test func requestsInFlightAreToldByTheirKind() throws {
        let registry = MetricRegistry()
        let metrics = try DataLayerMetrics(registry: registry)
        let store = EndpointStore(pool: PoolID(name: "pool"), clock: ManualClock(), metrics: metrics)
        store.replaceEndpoints([.made("a"), .made("b")])
        let endpoints = store.current.endpoints
        let kind = InFlightKind(producer: "load", fairnessID: "team", priority: 2)
        func gauges(_ name: String) -> [Double] {
            let gauges = metrics.inFlight(
                InFlightLabels(
                    endpoint: name, namespace: endpoints[0].id.namespace, producer: "load", fairnessID: "team",
                    priority: 2
                )
            )
            return [gauges.requests.value, gauges.tokens.value]
        }
        do {
            var lease = store.open(
                endpoints[0],
                load: LoadEstimate(tokens: 100),
                supporting: [SupportingLoad(endpoint: endpoints[1], tokens: 30, lastsToEnd: false)],
                as: kind
            )
            #expect(gauges("a") == [1, 100] && gauges("b") == [1, 30])
            lease.firstByteReceived()
            #expect(gauges("a") == [1, 0] && gauges("b") == [0, 0])
            let other = store.open(endpoints[0], load: LoadEstimate(tokens: 5))
            #expect(gauges("a") == [1, 0], "a lease of no kind counts on no gauge")
            other.close(.completed)
            #expect(lease.endpoint === endpoints[0])
        }
        #expect(gauges("a") == [0, 0] && gauges("b") == [0, 0])
    }

    @Test func aDroppedLeaseIsClosedAndCountedAsALeak() throws {
        let metrics = try DataLayerMetrics.made()
        let store = EndpointStore(pool: PoolID(name: "pool"), clock: ManualClock(), metrics: metrics)
        store.replaceEndpoints([.made("a")])
        let endpoint = store.current.endpoints[0]
        store.open(endpoint, tokens: 5).close(.completed)
        #expect(metrics.leaseLeaks.value == 0)
        do {
            let lease = store.open(endpoint, tokens: 5)
            #expect(lease.endpoint === endpoint)
        }
        #expect(metrics.leaseLeaks.value == 1)
        #expect(endpoint.load.requests == 0 && endpoint.load.tokens == 0 && store.ledger.openLeases == 0)
    }

    /// A lease that an array can hold.
    private final class Holder: Sendable {
        let lease: Mutex<RequestLease?>
        let endpoint: EndpointSnapshot
        let tokens: Int

        init(_ lease: consuming RequestLease, tokens: Int) {
            endpoint = lease.endpoint
            self.tokens = tokens
            self.lease = Mutex(lease)
        }

        func close(_ outcome: RequestOutcome) {
            let taken = lease.withLock { $0.take() }
            guard let taken else { return }
            taken.close(outcome)
        }
    }

    /// Endpoints flap, leases open on old and new snapshots and end in any order: every load is the number of leases
    /// that are open on that very life.
    @Test(arguments: 0..<15)
    func loadsEqualOpenLeases(seed: Int) throws {
        var random = RandomSource(seed: UInt64(seed))
        let clock = ManualClock()
        let store = EndpointStore(pool: PoolID(name: "pool"), clock: clock)
        var seen: [EndpointSnapshot] = []
        var open: [Holder] = []
        for _ in 0..<300 {
            clock.advance(by: .milliseconds(Int.random(in: 0..<400, using: &random)))
            switch Int.random(in: 0..<10, using: &random) {
            case 0:
                let kept = (0..<6).filter { _ in Bool.random(using: &random) }
                store.replaceEndpoints(
                    kept.map { .made("e\($0)", port: $0 + 10 * Int.random(in: 0..<2, using: &random)) }
                )
                for endpoint in store.current.endpoints where !seen.contains(where: { $0.load === endpoint.load }) {
                    seen.append(endpoint)
                }
            case 1..<6:
                // Any snapshot that was ever seen: a decision may be older than the set.
                guard let endpoint = seen.randomElement(using: &random) else { continue }
                let tokens = Int.random(in: 0..<1_000, using: &random)
                open.append(Holder(store.open(endpoint, tokens: tokens), tokens: tokens))
            default:
                guard let index = open.indices.randomElement(using: &random) else { continue }
                open.remove(at: index).close(RequestOutcome.allCases.randomElement(using: &random)!)
            }
            #expect(store.ledger.openLeases == open.count)
            for endpoint in seen {
                let here = open.filter { $0.endpoint.load === endpoint.load }
                #expect(endpoint.load.requests == here.count)
                #expect(endpoint.load.tokens == here.reduce(0) { $0 + $1.tokens })
            }
        }
        for holder in open { holder.close(.completed) }
        #expect(seen.allSatisfy { $0.load.requests == 0 && $0.load.tokens == 0 })
        #expect(store.ledger.openLeases == 0)
    }

    @Test func leasesFromManyThreadsAddUp() async {
        let store = EndpointStore(pool: PoolID(name: "pool"), clock: SystemMonotonicClock())
        store.replaceEndpoints((0..<4).map { .made("e\($0)", port: $0) })
        let endpoints = store.current.endpoints
        await withDiscardingTaskGroup { group in
            for worker in 0..<8 {
                group.addTask { @concurrent in
                    for round in 0..<500 {
                        let endpoint = store.current.endpoints[(worker + round) % 4]
                        let lease = store.open(endpoint, tokens: 7)
                        if round % 3 == 0 { lease.responseBegan() }
                        lease.close(round % 5 == 0 ? .connectFailed : .completed)
                    }
                }
            }
        }
        #expect(store.ledger.openLeases == 0)
        #expect(endpoints.allSatisfy { $0.load.requests == 0 && $0.load.tokens == 0 })
    }
}
