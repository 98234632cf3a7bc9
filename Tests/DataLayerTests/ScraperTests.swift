import DataLayer
import GatewayCore
import GatewayTesting
import Telemetry
import Testing

@Suite struct ScraperTests {
    private static func engine(waiting: Int) -> FakeOutboundHTTP.Answer {
        { request in
            request.path == "/metrics"
                ? .text("# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting \(waiting)\n")
                : .text(#"{"data":[{"id":"m"}]}"#)
        }
    }

    @Test func metricsAndModelsReachTheStore() throws {
        let rig = try ScrapeRig([.made("a")], answer: Self.engine(waiting: 3))
        #expect(rig.http.requests.isEmpty)
        rig.run(for: .zero)
        let endpoint = rig.store.current.endpoints[0]
        #expect(endpoint.metrics.waitingQueueSize == 3 && endpoint.metricsUpdatedAt == rig.clock.now)
        #expect(endpoint.models == ["m"] && rig.store.current.models.allEndpointsHaveTold)
        #expect(rig.http.requests.allSatisfy { $0.timeout == .seconds(1) && $0.address == endpoint.address })
        rig.http.answer(with: Self.engine(waiting: 8))
        rig.run(for: .milliseconds(50))
        #expect(rig.http.requests.count == 3)
        #expect(rig.store.current.endpoints[0].metrics.waitingQueueSize == 8)
        #expect(rig.metrics.scrapes(.success).value == 2 && rig.metrics.scrapeDuration.count == 2)
    }

    @Test func metricsAreReadTwentyTimesAndModelsHalfATimePerSecond() throws {
        let rig = try ScrapeRig([.made("a")], answer: Self.engine(waiting: 0))
        rig.run(for: .milliseconds(9_999))
        #expect(rig.requests("/metrics") == 200 && rig.requests("/v1/models") == 5)
    }

    @Test func oneTimerIsSetHoweverManyEndpointsThereAre() throws {
        let rig = try ScrapeRig((0..<50).map { .made("e\($0)", port: $0) }, answer: Self.engine(waiting: 0))
        #expect(rig.clock.sleeperCount == 1)
        for _ in 0..<20 {
            rig.run(for: .milliseconds(7))
            #expect(rig.clock.sleeperCount == 1)
        }
    }

    /// Thousands that come at once are not all connected to at once, and each has its turn.
    @Test func whatIsDueTogetherIsAskedInParts() throws {
        let rig = try ScrapeRig((0..<600).map { .made("e\($0)", port: $0 + 1) }, answer: Self.engine(waiting: 1))
        rig.run(for: .zero)
        let first = rig.http.requests.count
        #expect((256...258).contains(first), "a page of metrics and one of models each")
        rig.run(for: .milliseconds(4))
        #expect(rig.http.requests.count == first, "the transport has a moment for itself")
        rig.run(for: .milliseconds(30))
        #expect((8_001...8_600).allSatisfy { rig.requests("/metrics", port: $0) >= 1 })
        rig.run(for: .milliseconds(400))
        let counts = (8_001...8_600).map { rig.requests("/metrics", port: $0) }
        #expect((counts.min() ?? 0) > 0 && (counts.max() ?? 0) <= (counts.min() ?? 0) * 2, "nobody is forgotten")
    }

    @Test func endpointsComeAndGo() throws {
        let rig = try ScrapeRig([], answer: Self.engine(waiting: 1))
        rig.run(for: .seconds(1))
        #expect(rig.http.requests.isEmpty)
        rig.replaceEndpoints([.made("a"), .made("b", port: 1)])
        rig.run(for: .milliseconds(50))
        #expect(rig.store.current.endpoints.allSatisfy { $0.metricsUpdatedAt != nil })
        rig.replaceEndpoints([.made("b", port: 1)])
        let before = rig.http.requests.count
        rig.run(for: .seconds(4))
        #expect(rig.http.requests.count > before + 79)
        #expect(rig.http.requests.dropFirst(before).allSatisfy { $0.address.port == 8_001 })
        rig.replaceEndpoints([.made("b", port: 9)])
        rig.run(for: .zero)
        #expect(rig.store.current.endpoints[0].metricsUpdatedAt == rig.clock.now, "another address is another life")
        let atNewAddress = rig.http.requests.count
        rig.run(for: .seconds(1))
        #expect(rig.http.requests.dropFirst(atNewAddress).allSatisfy { $0.address.port == 8_009 })
    }

    @Test func anEndpointThatLeftTheStoreIsAskedNothingEvenBeforeTheRunIsTold() throws {
        let rig = try ScrapeRig([.made("a")], answer: Self.engine(waiting: 1))
        rig.run(for: .milliseconds(50))
        let before = rig.http.requests.count
        rig.store.replaceEndpoints([])
        rig.run(for: .seconds(1))
        #expect(rig.http.requests.count == before && rig.clock.sleeperCount == 0)
    }

    @Test func aLateAnswerDoesNotReachTheNextLifeOfItsSlot() throws {
        let rig = try ScrapeRig([.made("a")], answer: Self.engine(waiting: 7))
        rig.http.delay(by: .milliseconds(30), on: rig.clock)
        rig.run(for: .zero)
        #expect(rig.http.waitingCount == 2)
        rig.http.answer { _ in .text("", status: 404) }
        rig.replaceEndpoints([.made("a", port: 5)])
        #expect(rig.http.cancelledCount == 2, "the questions of the first life are called off")
        rig.run(for: .milliseconds(40))
        let endpoint = rig.store.current.endpoints[0]
        #expect(endpoint.metricsUpdatedAt == nil && endpoint.models == nil)
        #expect(rig.metrics.scrapes(.success).value == 0 && rig.metrics.scrapes(.status).value == 1)
    }

    @Test func failuresAreCountedAndTheLastValuesStay() throws {
        let rig = try ScrapeRig([.made("a")], answer: Self.engine(waiting: 3))
        rig.run(for: .zero)
        let first = rig.clock.now
        let answers: [(FakeOutboundHTTP.Answer, DataLayerMetrics.ScrapeResult)] = [
            ({ _ throws(OutboundFailure) in throw .timedOut }, .timeout),
            ({ _ throws(OutboundFailure) in throw .badResponse("cut") }, .connection),
            ({ _ throws(OutboundFailure) in throw .overLimit("long") }, .page),
            ({ _ in .text("", status: 503) }, .status),
            ({ _ in .text("nothing of interest 1\n") }, .page),
        ]
        for (answer, result) in answers {
            rig.http.answer(with: answer)
            let before = rig.metrics.scrapes(result).value
            rig.run(for: .milliseconds(50))
            #expect(rig.metrics.scrapes(result).value == before + 1, "\(result)")
        }
        #expect(rig.metrics.pollErrors.child("metrics-data-source").value == 4)
        let endpoint = rig.store.current.endpoints[0]
        #expect(endpoint.metrics.waitingQueueSize == 3 && endpoint.metricsUpdatedAt == first)
        #expect(rig.store.current.available.count == 1, "none of these is a reason to eject")
    }

    @Test func aRestartedEndpointIsBackWithinTheLongestPause() throws {
        let works = Self.engine(waiting: 0)
        let rig = try ScrapeRig([.made("a"), .made("b", port: 1)], answer: works)
        rig.run(for: .milliseconds(50))
        rig.http.answer { request throws(OutboundFailure) in
            if request.address.port == 8_000 { throw .connect("refused") }
            return try works(request)
        }
        rig.run(for: .milliseconds(200))
        #expect(rig.store.current.available.map(\.id.name) == ["b"])
        #expect(rig.store.current.outages.map(\.detail) == ["cannot connect: refused"])
        rig.run(for: .seconds(60))
        #expect(rig.store.current.available.map(\.id.name) == ["b"])
        rig.http.answer(with: works)
        rig.run(for: .milliseconds(250))
        #expect(rig.store.current.available.map(\.id.name) == ["a", "b"])
    }

    @Test func aPageElsewhereSaysNothingOfTheEndpoint() throws {
        var configuration = ScrapeConfiguration()
        configuration.metricsPort = 9_400
        let rig = try ScrapeRig([.made("a")], configuration: configuration) { request throws(OutboundFailure) in
            if request.address.port == 9_400 { throw .connect("refused") }
            return .text("", status: 404)
        }
        rig.run(for: .seconds(3))
        #expect(rig.http.requests.contains { $0.address.port == 9_400 && $0.path == "/metrics" })
        #expect(rig.store.current.available.count == 1)
    }

    @Test func anEndpointWithoutPagesIsFine() throws {
        let rig = try ScrapeRig([.made("a")]) { _ in .text("not found", status: 404) }
        rig.run(for: .milliseconds(9_999))
        #expect(rig.requests("/metrics") == 10 && rig.requests("/v1/models") == 5)
        #expect(rig.store.current.available.count == 1)
        #expect(rig.store.current.endpoints[0].metricsUpdatedAt == nil)
        #expect(!rig.store.current.models.allEndpointsHaveTold)
        #expect(rig.metrics.pollErrors.child("metrics-data-source").value == 0)
    }

    @Test func aSlowAnswerIsNotOvertaken() throws {
        let rig = try ScrapeRig([.made("a")], answer: Self.engine(waiting: 1))
        rig.http.delay(by: .milliseconds(720), on: rig.clock)
        rig.run(for: .zero)
        for _ in 0..<600 {
            #expect(rig.http.waitingCount <= 2, "one of each page")
            rig.run(for: .milliseconds(10))
        }
        #expect(rig.requests("/metrics") == 9, "every 750 ms")
        #expect(rig.store.current.endpoints[0].metrics.waitingQueueSize == 1)
    }

    @Test func theEngineIsTakenFromTheLabelOrRecognised() throws {
        let sglang = "# TYPE sglang:num_queue_reqs gauge\nsglang:num_queue_reqs 6\n"
        let endpoints: [EndpointDescription] = [
            .made("plain"), .made("labelled", port: 1, labels: ["llm-d.ai/engine-type": "sglang"]),
            .made("wrong", port: 2, labels: ["llm-d.ai/engine-type": "vllm"]),
        ]
        let rig = try ScrapeRig(endpoints) { _ in .text(sglang) }
        rig.run(for: .milliseconds(50))
        #expect(rig.store.current.endpoints.map(\.metrics.waitingQueueSize) == [6, 6, 0])
    }

    @Test func nothingHappensAfterTheStop() throws {
        let rig = try ScrapeRig([.made("a"), .made("b", port: 1)], answer: Self.engine(waiting: 1))
        rig.http.delay(by: .milliseconds(20), on: rig.clock)
        rig.run(for: .zero)
        #expect(rig.http.waitingCount == 4)
        rig.run.stop()
        #expect(rig.http.cancelledCount == 4 && rig.clock.sleeperCount == 0)
        rig.run.followMembership()
        rig.run.stop()
        #expect(rig.clock.sleeperCount == 0)
        #expect(rig.store.current.endpoints.allSatisfy { $0.metricsUpdatedAt == nil })
    }

    @Test func theScraperFollowsTheStoreUntilItsTaskIsCancelled() async throws {
        let clock = ManualClock()
        let store = EndpointStore(pool: PoolID(name: "pool"), clock: clock)
        let http = FakeOutboundHTTP(Self.engine(waiting: 4))
        http.delay(by: .milliseconds(10), on: clock)
        let scraper = Scraper(store: store, http: http, timer: clock, clock: clock)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await scraper.run() }
            store.replaceEndpoints([.made("a")])
            try await clock.waitForSleepers(1)
            clock.advance(by: .zero)
            #expect(http.waitingCount == 2)
            clock.advance(by: .milliseconds(10))
            #expect(store.current.endpoints[0].metrics.waitingQueueSize == 4)
            clock.advance(by: .milliseconds(40))
            #expect(http.waitingCount == 1)
            group.cancelAll()
            try await group.waitForAll()
        }
        #expect(http.cancelledCount == 1 && clock.sleeperCount == 0)
    }

    @Test func manyEndpointsAreAskedAtOnceOnlyAtTheBeginning() throws {
        let rig = try ScrapeRig((0..<50).map { .made("e\($0)", port: $0) }) { _ in .text("", status: 200) }
        var counts: [Int] = []
        for _ in 0..<499 {
            let before = rig.requests("/metrics")
            rig.run(for: .milliseconds(1))
            counts.append(rig.requests("/metrics") - before)
        }
        #expect(counts[0] == 50)
        #expect((500...550).contains(counts.reduce(0, +)))
        #expect(counts.dropFirst().allSatisfy { $0 <= 8 }, "no two groups in the same millisecond")
    }
}
