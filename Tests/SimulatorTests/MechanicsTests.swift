import DataLayer
import GatewayCore
import GatewayTesting
import ModelServerSimulator
import Testing

@testable import Simulator

/// The parts of the simulation that the others rely on.
@Suite struct MechanicsTests {
    @Test func eventsOfOneInstantKeepTheirOrder() {
        var queue = EventQueue<Int>()
        let early = MonotonicInstant(nanoseconds: 1)
        let late = MonotonicInstant(nanoseconds: 2)
        for number in 0..<100 { queue.schedule(100 + number, at: late) }
        for number in 0..<100 { queue.schedule(number, at: early) }
        var taken: [Int] = []
        while let event = queue.popNext() { taken.append(event) }
        #expect(taken == Array(0..<200))
    }

    /// The check that every run makes after every step finds what it is for.
    @Test func aLeaseThatNobodyKnowsIsFound() throws {
        let store = EndpointStore(pool: PoolID(name: "pool"), clock: ManualClock())
        let address = EndpointAddress(host: "10.0.0.1", port: 8000)
        store.replaceEndpoints([EndpointDescription(id: EndpointID(name: "engine-0"), address: address)])
        let endpoint = try #require(store.current.endpoints.first)
        var check = LeaseCheck()
        #expect(check.difference(from: store) == nil)

        let lease = store.open(endpoint, tokens: 3)
        #expect(check.difference(from: store) == "the gateway holds 1 leases, and 0 requests are open")
        check.opened(on: endpoint)
        #expect(check.difference(from: store) == nil)

        // One that left keeps its count, and the next of its name has one of its own.
        store.replaceEndpoints([])
        store.replaceEndpoints([EndpointDescription(id: EndpointID(name: "engine-0"), address: address)])
        #expect(check.difference(from: store) == nil)
        let next = try #require(store.current.endpoints.first)
        next.load.add(tokens: 0)
        #expect(
            check.difference(from: store) == "the gateway counts 1 requests on engine-0, which never had one"
        )
        next.load.remove(tokens: 0)
        lease.close(.completed)
        check.closed(on: EndpointLife(endpoint))
        #expect(check.difference(from: store) == nil)
        endpoint.load.add(tokens: 5)
        endpoint.load.remove(tokens: 4)
        #expect(
            check.difference(from: store) == "the gateway counts 1 tokens on engine-0, and no request is open there"
        )
    }

    /// The page says what the engine counts, to the gateway's own extractor.
    @Test func theMetricsPageIsReadBack() throws {
        var parameters = EngineParameters.midRangeAccelerator
        parameters.maxRunningSequences = 2
        let endpoint = try SimulatedEndpoint(index: 0, parameters: parameters)
        let prompt = SimulatedToken.tokens(of: Array(repeating: UInt8(ascii: "a"), count: 4_096))
        for number in 0..<5 {
            let request = SimulatedRequest(prompt: prompt, output: .exactly(50))
            _ = try endpoint.submit(request, number: number, at: MonotonicInstant(nanoseconds: 0))
        }
        _ = endpoint.advance(to: MonotonicInstant(nanoseconds: 300_000_000))
        let page = try #require(endpoint.page)
        var extractor = EngineMetricsExtractor(mapping: EngineMetricMapping.builtin[0])
        let reading = extractor.read(Array(page.utf8).span.bytes, previous: EndpointMetrics())
        #expect(reading.isRecognised)
        #expect(reading.metrics.runningRequests == 2)
        #expect(reading.metrics.waitingQueueSize == 3)
        #expect(reading.metrics.cacheBlockSizeTokens == 16)
        #expect(reading.metrics.cacheBlockCount == 4_096)
        #expect(reading.metrics.kvCacheUsage > 0.01)
        #expect(reading.metrics.kvCacheUsage < 0.1)
    }

    @Test func aKilledServerStartsColdAndItsCountsStay() throws {
        let endpoint = try SimulatedEndpoint(index: 0, parameters: .midRangeAccelerator)
        let prompt = SimulatedToken.tokens(of: Array(repeating: UInt8(ascii: "a"), count: 4_096))
        func serve(_ number: Int, at seconds: Int64) throws -> SimulatedEndpoint.Submission? {
            let now = MonotonicInstant(nanoseconds: seconds * 1_000_000_000)
            let request = SimulatedRequest(prompt: prompt, output: .exactly(2))
            let submission = try endpoint.submit(request, number: number, at: now)
            let events = endpoint.advance(to: now.advanced(by: .milliseconds(900)))
            for event in events {
                if case .finished = event.kind { endpoint.noteFinished(event.id) }
            }
            return submission
        }
        let first = try serve(1, at: 1)
        #expect(first?.isOnReusedConnection == false)
        let second = try serve(2, at: 2)
        #expect(second?.isOnReusedConnection == true)
        let hit = endpoint.sums.hitTokens
        #expect(hit > 900)

        #expect(endpoint.kill() == [])
        let refused = try serve(3, at: 3)
        #expect(refused == nil)
        #expect(endpoint.nextEventTime == nil)
        endpoint.start()
        let fourth = try serve(4, at: 4)
        #expect(fourth?.isOnReusedConnection == false)
        #expect(endpoint.sums.hitTokens == hit, "the new server's cache was empty")
        #expect(endpoint.sums.finished == 3)
    }

    @Test func aRunThatCannotEndSaysSo() throws {
        var configuration = SimulationConfiguration(seed: 3)
        configuration.workload.clients = 1
        configuration.timeLimit = .seconds(5)
        configuration.faults = [
            TimedFault(at: .zero, .slow(0, factor: 1_000_000)), TimedFault(at: .zero, .slow(1, factor: 1_000_000)),
            TimedFault(at: .zero, .slow(2, factor: 1_000_000)),
        ]
        let simulation = try GatewaySimulation(configuration)
        let error = try #require(throws: InvariantViolation.self) { try simulation.run() }
        #expect(error.what == "the run is over its time limit, and 1 requests are open")
        #expect(error.description.hasPrefix("seed 3, step "))
    }
}
