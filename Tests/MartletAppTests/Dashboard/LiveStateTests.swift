import DataLayer
import Foundation
import GatewayCore
import GatewayTesting
import RequestControl
import RequestFormats
import Testing

@testable import MartletApp

/// Says nothing of a configuration.
private struct SilentSource: LiveSource {
    var configuration: AnyObject? { nil }
    var staleness: Duration { .seconds(2) }
    func traffic() -> TrafficReading { TrafficReading() }
    func standing(at now: MonotonicInstant) -> StandingReading { StandingReading() }
    func pools(at now: MonotonicInstant) -> [PoolReading] { [] }
    func writeConfiguration(to writer: inout JSONWriter) {}
}

@Suite struct LiveStateTests {
    private let clock = ManualClock(start: MonotonicInstant(nanoseconds: 1_000_000_000))
    private var state = LiveState()
    private var reader = LiveReader()

    private func store(_ name: String = "pool", endpoints count: Int = 0) -> EndpointStore {
        let store = EndpointStore(pool: PoolID(name: name), clock: clock)
        store.replaceEndpoints((0..<count).map { .local("e\($0)", port: 8_000 + $0) })
        return store
    }

    private func reading(_ store: EndpointStore, hits: [EndpointID: Double] = [:]) -> PoolReading {
        PoolReading(id: store.pool, view: store.current, openLeases: store.ledger.openLeases, hits: hits)
    }

    private func moment(_ pools: [PoolReading], _ changes: LiveChanges) -> LiveMoment {
        let traffic = TrafficReading(at: clock.now, unixTime: 1_700_000_000.123_456)
        return LiveMoment(
            figures: LiveFigures(), traffic: traffic, standing: StandingReading(), pools: pools, changes: changes)
    }

    /// Looks, and tells the reader.
    private mutating func look(_ stores: [EndpointStore], hits: [EndpointID: Double] = [:]) throws -> LiveChanges {
        let pools = stores.map { reading($0, hits: hits) }
        let changes = state.look(at: pools, now: clock.now, staleness: .seconds(2))
        try reader.take(LiveEncoder.tick(state, moment(pools, changes)))
        return changes
    }

    private func fresh(_ stores: [EndpointStore]) throws -> LiveReader {
        var fresh = LiveReader()
        try fresh.greet(
            LiveEncoder.hello(state, moment(stores.map { reading($0) }, state.everything), source: SilentSource()))
        return fresh
    }

    @Test mutating func onlyWhatChangedIsTold() throws {
        let store = store(endpoints: 3)
        #expect(try look([store]).added == [0, 1, 2])
        #expect(try look([store]).rows.isEmpty)
        let endpoints = store.current.endpoints
        let metrics = EndpointMetrics(
            waitingQueueSize: 2, runningRequests: 3, kvCacheUsage: 0.456, activeModels: ["poet"])
        store.record(metrics: metrics, for: EndpointLife(endpoints[1]), at: clock.now)
        let changes = try look([store], hits: [endpoints[1].id: 0.999])
        #expect(changes.rows.map(\.id) == [1] && changes.adapters.map(\.id) == [1])
        #expect(
            changes.rows[0].row
                == LiveRow(waiting: 2, running: 3, cacheUsage: 46, hit: 100, inFlight: 0, age: 0, standing: .available))
        #expect(reader.endpoints[1]?["adapters"] == "poet" && reader.endpoints[1]?["kv"] == "46")
        let lease = store.open(endpoints[2], tokens: 1)
        #expect(try look([store]).rows.map(\.id) == [1, 2], "the hit of one is gone, the other has a request")
        lease.close(.completed)
    }

    @Test mutating func standings() throws {
        let store = store(endpoints: 4)
        let endpoints = store.current.endpoints
        for place in 0..<3 {
            store.record(metrics: EndpointMetrics(), for: EndpointLife(endpoints[place]), at: clock.now)
        }
        for _ in 0..<3 { store.open(endpoints[1], tokens: 1).close(.connectFailed, detail: "refused") }
        #expect(store.setCordoned(true, endpoint: endpoints[2].id))
        _ = try look([store])
        #expect((0..<4).map { reader.endpoints[$0]?["state"] } == ["0", "1", "2", "4"])
        #expect((0..<4).map { reader.endpoints[$0]?["age"] } == ["0", "0", "0", "-1"])
        #expect(reader.endpoints[1]?["ejected"] == "connectFailures" || reader.endpoints[1]?["ejected"] != nil)
        clock.advance(by: .milliseconds(400))
        #expect(try look([store]).rows.isEmpty, "metrics of half a second are as good as new")
        clock.advance(by: .milliseconds(1_700))
        _ = try look([store])
        #expect((0..<4).map { reader.endpoints[$0]?["state"] } == ["3", "1", "2", "4"])
        #expect(reader.endpoints[0]?["age"] == "21")
        store.scrapeAnswered(EndpointLife(endpoints[1]), startedAt: clock.now)
        store.open(store.current.endpoints[1], tokens: 1).close(.completed)
        #expect(try look([store]).ejections.map(\.id) == [1])
        #expect(reader.endpoints[1]?["ejected"] == nil)
    }

    @Test mutating func anEjectionThatGetsLongerIsToldWhenItsTimeHasCome() throws {
        let store = store(endpoints: 1)
        let life = EndpointLife(store.current.endpoints[0])
        func refuse() {
            store.scrapeRefused(life, detail: "refused", startedAt: clock.now)
            clock.advance(by: .milliseconds(100))
        }
        while store.current.outages.isEmpty { refuse() }
        #expect(try look([store]).ejections.count == 1)
        let told = try #require(store.current.outages.first).until
        var ticks = 0
        while clock.now < told {
            refuse()
            if clock.now < told { #expect(try look([store]).ejections.isEmpty) }
            ticks += 1
        }
        #expect(ticks > 1 && store.current.outages.first?.until != told)
        let changes = try look([store])
        #expect(changes.ejections.map(\.outage?.until) == store.current.outages.map(\.until))
    }

    @Test mutating func numbersStayAndAreNeverUsedAgain() throws {
        let (one, two) = (store("one", endpoints: 2), store("two", endpoints: 2))
        _ = try look([one, two])
        #expect(reader.endpoints.keys.sorted() == [0, 1, 2, 3], "two pools may have an endpoint of the same name")
        one.replaceEndpoints([.local("e1", port: 8_001)])
        #expect(try look([one, two]).removed == [0])
        one.replaceEndpoints([.local("e0", port: 8_000), .local("e1", port: 9_000)])
        let changes = try look([one, two])
        #expect(changes.removed == [1] && changes.added == [4, 5])
        #expect(try look([two, one]).added == [2, 3, 4, 5], "their pools have other places")
        #expect(reader.endpoints == (try fresh([two, one])).endpoints)
        _ = try look([one])
        #expect(reader.endpoints.keys.sorted() == [4, 5])
    }

    @Test mutating func modelsAreToldWhenTheyChange() throws {
        let store = store(endpoints: 1)
        let life = EndpointLife(store.current.endpoints[0])
        _ = try look([store])
        store.record(models: [ServedModel(id: "m", json: [])], for: life)
        #expect(try look([store]).models == [0: ["m"]])
        store.record(metrics: EndpointMetrics(waitingQueueSize: 9), for: life, at: clock.now)
        store.record(models: [ServedModel(id: "m", json: [])], for: life)
        #expect(try look([store]).models.isEmpty)
        #expect(try fresh([store]).models == [0: ["m"]])
    }

    @Test("what changed, applied second by second, is what a new reader is told", arguments: 1...40)
    mutating func applied(seed: UInt64) throws {
        var random = RandomSource(seed: seed)
        let stores = [store("a", endpoints: 4), store("b", endpoints: 2)]
        for _ in 0..<50 {
            let store = stores[Int.random(in: 0...1, using: &random)]
            let endpoints = store.current.endpoints
            switch (Int.random(in: 0..<7, using: &random), endpoints.randomElement(using: &random)) {
            case (0, _):
                let names = (0..<5).filter { _ in Bool.random(using: &random) }
                let zone = Int.random(in: 0...1, using: &random)
                store.replaceEndpoints(
                    names.map { number in
                        EndpointDescription(
                            id: EndpointID(name: "e\(number)"),
                            address: EndpointAddress(host: "127.0.0.1", port: 8_000 + number),
                            labels: ["zone": "z\(zone)"]
                        )
                    }
                )
            case (1, let endpoint?): _ = store.setCordoned(Bool.random(using: &random), endpoint: endpoint.id)
            case (2, let endpoint?):
                for _ in 0..<3 { store.open(endpoint, tokens: 1).close(.resetMidResponse, detail: "it \"broke\"\n") }
            case (3, let endpoint?):
                let adapters = ["a", "b"].filter { _ in Bool.random(using: &random) }
                let metrics = EndpointMetrics(
                    waitingQueueSize: Int.random(in: 0...3, using: &random),
                    kvCacheUsage: random.unit(),
                    activeModels: adapters
                )
                store.record(metrics: metrics, for: EndpointLife(endpoint), at: clock.now)
            case (4, let endpoint?):
                let name = "m\(Int.random(in: 0...2, using: &random))"
                store.record(models: [ServedModel(id: name, json: [])], for: EndpointLife(endpoint))
            default: clock.advance(by: .milliseconds(Int.random(in: 1...5_000, using: &random)))
            }
            _ = try look(stores)
            let fresh = try fresh(stores)
            #expect(reader.endpoints == fresh.endpoints)
            #expect(reader.models == fresh.models)
        }
    }

    @Test mutating func aThousandChangingEndpointsFitTheBudget() throws {
        let store = store(endpoints: 1_000)
        _ = try look([store])
        for endpoint in store.current.endpoints {
            let metrics = EndpointMetrics(
                waitingQueueSize: 100 + endpoint.slot % 900, runningRequests: 256, kvCacheUsage: 0.87)
            store.record(metrics: metrics, for: EndpointLife(endpoint), at: clock.now)
        }
        clock.advance(by: .milliseconds(1_500))
        let hits = Dictionary(uniqueKeysWithValues: store.current.endpoints.map { ($0.id, 0.42) })
        let pools = [reading(store, hits: hits)]
        let changes = state.look(at: pools, now: clock.now, staleness: .seconds(2))
        #expect(changes.rows.count == 1_000)
        let size = LiveEncoder.tick(state, moment(pools, changes)).count
        #expect(size < 50_000, "\(size) bytes a second")
    }
}
