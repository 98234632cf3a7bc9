import DataLayer
import GatewayCore
import GatewayTesting
import Synchronization
import Telemetry
import Testing

@Suite struct EndpointStoreTests {
    private let clock = ManualClock()

    private func makeStore(
        _ names: [String],
        metrics: DataLayerMetrics? = nil,
        onLeave: @escaping @Sendable (EndpointSnapshot) -> Void = { _ in }
    ) -> EndpointStore {
        let store = EndpointStore(pool: PoolID(name: "pool"), clock: clock, metrics: metrics, onLeave: onLeave)
        store.replaceEndpoints(names.enumerated().map { .made($1, port: $0) })
        return store
    }

    private func fail(_ store: EndpointStore, _ endpoint: EndpointSnapshot, _ outcome: RequestOutcome, times: Int = 3) {
        for _ in 0..<times { store.open(endpoint, tokens: 1).close(outcome, detail: "it broke") }
    }

    @Test func endpointsKeepTheOrderOfTheirSource() {
        let store = makeStore(["c", "a", "b"])
        #expect(store.current.endpoints.map(\.id.name) == ["c", "a", "b"])
        store.replaceEndpoints([.made("b", port: 2), .made("c", port: 0)])
        #expect(store.current.endpoints.map(\.id.name) == ["b", "c"])
    }

    @Test func anEmptyPoolHasNoCandidatesAndNoOutages() {
        let view = makeStore([]).current
        #expect(view.available.isEmpty && view.outages.isEmpty && view.endpoints.isEmpty)
        #expect(!view.models.allEndpointsHaveTold)
    }

    @Test func theFirstOfTwoWithTheSameNameCounts() {
        let store = makeStore([])
        store.replaceEndpoints([.made("a", port: 1), .made("a", port: 2)])
        #expect(store.current.endpoints.map(\.address.port) == [8_001])
    }

    @Test func slotsAreDenseAndUsedAgainWithAHigherIncarnation() {
        let store = makeStore(["a", "b", "c"])
        #expect(store.current.endpoints.map(\.slot) == [0, 1, 2])
        store.replaceEndpoints([.made("a"), .made("c", port: 2)])
        store.replaceEndpoints([.made("a"), .made("c", port: 2), .made("d", port: 3), .made("e", port: 4)])
        let view = store.current
        #expect(view.endpoints.map(\.slot) == [0, 2, 1, 3])
        #expect(view.endpoints.map(\.incarnation) == [0, 0, 1, 0])
    }

    @Test func aLabelChangeKeepsTheLife() {
        let store = makeStore(["a"])
        let before = store.current.endpoints[0]
        let lease = store.open(before, tokens: 10)
        let life = EndpointLife(before)
        store.record(metrics: EndpointMetrics(waitingQueueSize: 3), for: life, at: clock.now)
        store.replaceEndpoints([.made("a", labels: ["zone": "x"])])
        let after = store.current.endpoints[0]
        #expect(after.labels == ["zone": "x"])
        #expect(EndpointLife(after) == life)
        #expect(after.metrics.waitingQueueSize == 3)
        #expect(after.load === before.load && after.load.requests == 1)
        lease.close(.completed)
    }

    @Test func anAddressChangeIsANewLife() {
        let left = Mutex<[Int]>([])
        let store = makeStore(["a"]) { endpoint in left.withLock { $0.append(endpoint.address.port) } }
        let before = store.current.endpoints[0]
        let lease = store.open(before, tokens: 10)
        store.replaceEndpoints([.made("a", port: 5)])
        let after = store.current.endpoints[0]
        #expect(left.withLock { $0 } == [8_000])
        #expect(EndpointLife(after) != EndpointLife(before))
        #expect(after.load !== before.load && after.load.requests == 0)
        store.record(metrics: EndpointMetrics(waitingQueueSize: 9), for: EndpointLife(before), at: clock.now)
        store.record(models: [ServedModel(id: "m", json: [])], for: EndpointLife(before))
        #expect(store.current.endpoints[0].metricsUpdatedAt == nil)
        #expect(store.current.endpoints[0].models == nil)
        lease.close(.connectFailed)
        #expect(after.load.requests == 0 && before.load.requests == 0)
    }

    @Test func aSlotIsNotUsedAgainBeforeItsObserversWereTold() throws {
        let slots = Mutex<[Int]>([])
        let holder = Mutex<EndpointStore?>(nil)
        let store = makeStore(["a"]) { endpoint in
            let store = holder.withLock { $0 }
            store?.replaceEndpoints([.made("b", port: 1), .made("c", port: 2)])
            slots.withLock { $0 = [endpoint.slot] + (store?.current.endpoints.map(\.slot) ?? []) }
            holder.withLock { $0 = nil }
        }
        holder.withLock { $0 = store }
        store.replaceEndpoints([.made("b", port: 1)])
        #expect(slots.withLock { $0 } == [0, 1, 2])
        store.replaceEndpoints([.made("b", port: 1), .made("c", port: 2), .made("d", port: 3)])
        #expect(store.current.endpoints.map(\.slot) == [1, 2, 0])
    }

    @Test func aViewStaysAsItIsAndIsSharedUntilSomethingChanges() {
        let store = makeStore(["a", "b"])
        let view = store.current
        #expect(store.current === view)
        store.replaceEndpoints([.made("a"), .made("b", port: 1)])
        #expect(store.current === view, "the same set is no change")
        let life = EndpointLife(view.endpoints[0])
        store.record(metrics: EndpointMetrics(runningRequests: 1), for: life, at: clock.now)
        let next = store.current
        #expect(next !== view && next.generation > view.generation)
        #expect(view.endpoints[0].metrics.runningRequests == 0)
        #expect(next.endpoints[0].metrics.runningRequests == 1)
        #expect(next.endpoints[1] === view.endpoints[1])
        #expect(next.endpoints[0].metricsUpdatedAt == clock.now)
    }

    @Test func anEjectedEndpointIsNoCandidateUntilItsTrialSucceeds() throws {
        let metrics = try DataLayerMetrics.made()
        let store = makeStore(["a", "b"], metrics: metrics)
        let bad = store.current.endpoints[0]
        fail(store, bad, .gatewayError)
        #expect(store.current.available.map(\.id.name) == ["b"])
        #expect(store.current.outages.map(\.id.name) == ["a"])
        #expect(metrics.ejections.child("a", "gateway_error").value == 1)
        #expect(metrics.ejected.child("a").value == 1)
        clock.advance(by: .seconds(1))
        #expect(store.current.available.map(\.id.name) == ["a", "b"])
        let trial = store.open(store.current.endpoints[0], tokens: 1)
        #expect(store.current.available.map(\.id.name) == ["b"], "one trial at a time")
        trial.responseBegan()
        #expect(store.current.available.map(\.id.name) == ["a", "b"])
        #expect(store.current.outages.isEmpty)
        #expect(metrics.ejected.child("a").value == 0)
        trial.close(.completed)
    }

    @Test func whoeverWantsToKnowIsToldOfEjectionsAndReturns() {
        let told = Mutex<[EndpointHealthChange]>([])
        let store = EndpointStore(
            pool: PoolID(name: "pool"), clock: clock,
            onHealthChange: { pool, id, change in
                #expect(pool == PoolID(name: "pool") && id.name == "a")
                told.withLock { $0.append(change) }
            })
        store.replaceEndpoints([.made("a")])
        let endpoint = store.current.endpoints[0]
        fail(store, endpoint, .connectFailed)
        #expect(told.withLock { $0 } == [.ejected(.connect, detail: "it broke")])
        clock.advance(by: .milliseconds(100))
        store.scrapeAnswered(EndpointLife(endpoint), startedAt: clock.now)
        #expect(told.withLock { $0.last } == .onTrial)
        let trial = store.open(endpoint, tokens: 1)
        #expect(told.withLock { $0.count } == 2)
        trial.close(.completed)
        #expect(told.withLock { $0.last } == .healed)
        fail(store, endpoint, .gatewayError)
        #expect(told.withLock { $0.last } == .ejected(.gatewayError, detail: "it broke"))
        #expect(told.withLock { $0.count } == 4)
    }

    @Test func aTrialThatTakesLongMakesRoomForAnother() {
        let store = makeStore(["a", "b"])
        fail(store, store.current.endpoints[0], .timedOut)
        clock.advance(by: .seconds(1))
        let trial = store.open(store.current.endpoints[0], tokens: 1)
        #expect(store.current.available.count == 1)
        clock.advance(by: .seconds(5))
        #expect(store.current.available.count == 2)
        trial.close(.completed)
    }

    @Test func theOnlyEndpointInHalfOpenTakesAnyRequest() {
        let store = makeStore(["a"])
        fail(store, store.current.endpoints[0], .connectFailed)
        #expect(store.current.available.isEmpty)
        clock.advance(by: .seconds(1))
        let trial = store.open(store.current.endpoints[0], tokens: 1)
        #expect(store.current.available.map(\.id.name) == ["a"])
        trial.close(.completed)
        #expect(store.current.outages.isEmpty)
    }

    @Test func whenAllAreEjectedTheViewSaysWhy() {
        let store = makeStore(["a", "b"])
        clock.advance(by: .seconds(7))
        for endpoint in store.current.endpoints { fail(store, endpoint, .connectFailed) }
        let view = store.current
        #expect(view.available.isEmpty)
        #expect(view.outages.map(\.description) == ["default/a: it broke", "default/b: it broke"])
        #expect(view.outages.allSatisfy { $0.since == clock.now && $0.reason == .connect })
    }

    @Test func anAnsweredScrapeBringsALostEndpointBack() {
        let store = makeStore(["a", "b"])
        let life = EndpointLife(store.current.endpoints[0])
        for _ in 0..<2 {
            store.scrapeRefused(life, detail: "refused", startedAt: clock.now)
            clock.advance(by: .milliseconds(50))
        }
        #expect(store.current.available.map(\.id.name) == ["b"])
        store.scrapeAnswered(life, startedAt: clock.now)
        #expect(store.current.available.map(\.id.name) == ["a", "b"])
    }

    @Test func anEjectedEndpointThatIsReplacedStartsHealthy() {
        let store = makeStore(["a"])
        fail(store, store.current.endpoints[0], .connectFailed)
        store.replaceEndpoints([])
        store.replaceEndpoints([.made("a")])
        #expect(store.current.available.count == 1)
        #expect(store.current.outages.isEmpty)
    }

    @Test func aListenerHearsOfChangesOnce() async {
        let store = makeStore([])
        var changes = store.membershipChanges().makeAsyncIterator()
        store.replaceEndpoints([.made("a")])
        store.replaceEndpoints([.made("a"), .made("b")])
        #expect(await changes.next() != nil)
        store.replaceEndpoints([])
        #expect(await changes.next() != nil)
    }
}
