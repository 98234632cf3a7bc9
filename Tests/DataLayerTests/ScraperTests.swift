import DataLayer
import GatewayCore
import GatewayTesting
import Synchronization
import Telemetry
import Testing

@Suite struct ScraperTests {
    private let clock = ManualClock()

    /// A scraper that runs while `body` does, over endpoints that answer as `answer` says.
    private func withScraper(
        _ endpoints: [EndpointDescription],
        configuration: ScrapeConfiguration = ScrapeConfiguration(),
        metrics: DataLayerMetrics? = nil,
        answer: @escaping FakeOutboundHTTP.Answer,
        _ body: (EndpointStore, FakeOutboundHTTP) async throws -> Void
    ) async throws {
        let store = EndpointStore(pool: PoolID(name: "pool"), clock: clock, metrics: metrics)
        store.replaceEndpoints(endpoints)
        let http = FakeOutboundHTTP(answer)
        let scraper = Scraper(store: store, http: http, clock: clock, configuration: configuration, metrics: metrics)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await scraper.run() }
            try await body(store, http)
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    /// Steps the clock from one sleeper's deadline to the next until `duration` has passed.
    ///
    /// - Parameter sleepers: how many tasks fall asleep again after each step.
    private func run(for duration: Duration, sleepers: Int) async throws {
        let end = clock.now.advanced(by: duration)
        while true {
            try await clock.waitForSleepers(sleepers)
            guard let next = clock.nextDeadline, next <= end else { break }
            clock.advance(to: next)
        }
        clock.advance(to: end)
        try await clock.waitForSleepers(sleepers)
    }

    private static func engine(waiting: Int) -> FakeOutboundHTTP.Answer {
        { request in
            request.path == "/metrics"
                ? .text("# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting \(waiting)\n")
                : .text(#"{"data":[{"id":"m"}]}"#)
        }
    }

    private static let refused: FakeOutboundHTTP.Answer = { _ in throw OutboundFailure.connect("refused") }

    @Test func metricsAndModelsReachTheStore() async throws {
        let metrics = try DataLayerMetrics.made()
        try await withScraper([.made("a")], metrics: metrics, answer: Self.engine(waiting: 3)) { store, http in
            try await clock.waitForSleepers(2)
            let endpoint = store.current.endpoints[0]
            #expect(endpoint.metrics.waitingQueueSize == 3 && endpoint.metricsUpdatedAt == clock.now)
            #expect(endpoint.models == ["m"] && store.current.models.allEndpointsHaveTold)
            #expect(http.requests.allSatisfy { $0.timeout == .seconds(1) && $0.address == endpoint.address })
            http.answer(with: Self.engine(waiting: 8))
            clock.advance(by: .milliseconds(50))
            try await http.waitForRequests(3)
            try await clock.waitForSleepers(2)
            #expect(store.current.endpoints[0].metrics.waitingQueueSize == 8)
            #expect(metrics.scrapes(.success).value == 2 && metrics.scrapeDuration.count == 2)
        }
    }

    @Test func metricsAreReadTwentyTimesAndModelsHalfATimePerSecond() async throws {
        try await withScraper([.made("a")], answer: Self.engine(waiting: 0)) { _, http in
            try await run(for: .milliseconds(9_999), sleepers: 2)
            #expect(http.requests.count { $0.path == "/metrics" } == 200)
            #expect(http.requests.count { $0.path == "/v1/models" } == 5)
        }
    }

    @Test func endpointsComeAndGoWhileItRuns() async throws {
        try await withScraper([], answer: Self.engine(waiting: 1)) { store, http in
            store.replaceEndpoints([.made("a"), .made("b", port: 1)])
            try await clock.waitForSleepers(4)
            try await run(for: .milliseconds(50), sleepers: 4)
            #expect(store.current.endpoints.allSatisfy { $0.metricsUpdatedAt != nil })
            store.replaceEndpoints([.made("b", port: 1)])
            // The tasks of the endpoint that left end at their next turn.
            clock.advance(by: .seconds(4))
            try await clock.waitForSleepers(2)
            let before = http.requests.count
            try await run(for: .seconds(4), sleepers: 2)
            #expect(http.requests.dropFirst(before).allSatisfy { $0.address.port == 8_001 })
            store.replaceEndpoints([.made("b", port: 9)])
            try await clock.waitForSleepers(4)
            clock.advance(by: .seconds(4))
            try await clock.waitForSleepers(2)
            #expect(store.current.endpoints[0].metricsUpdatedAt == clock.now, "another address is another life")
        }
    }

    @Test func failuresAreCountedAndTheLastValuesStay() async throws {
        let metrics = try DataLayerMetrics.made()
        try await withScraper([.made("a")], metrics: metrics, answer: Self.engine(waiting: 3)) { store, http in
            try await clock.waitForSleepers(2)
            let first = clock.now
            let answers: [(FakeOutboundHTTP.Answer, DataLayerMetrics.ScrapeResult)] = [
                ({ _ in throw OutboundFailure.timedOut }, .timeout),
                ({ _ in throw OutboundFailure.badResponse("cut") }, .connection),
                ({ _ in .text("", status: 503) }, .status),
                ({ _ in .text("nothing of interest 1\n") }, .page),
            ]
            for (answer, result) in answers {
                http.answer(with: answer)
                let before = metrics.scrapes(result).value
                try await run(for: .milliseconds(50), sleepers: 2)
                #expect(metrics.scrapes(result).value == before + 1, "\(result)")
            }
            #expect(metrics.pollErrors.child("metrics-data-source").value == 3)
            let endpoint = store.current.endpoints[0]
            #expect(endpoint.metrics.waitingQueueSize == 3 && endpoint.metricsUpdatedAt == first)
            #expect(store.current.available.count == 1, "none of these is a reason to eject")
        }
    }

    @Test func aRestartedEndpointIsBackWithinTheLongestPause() async throws {
        try await withScraper([.made("a"), .made("b", port: 1)], answer: Self.engine(waiting: 0)) { store, http in
            try await run(for: .milliseconds(50), sleepers: 4)
            let works = Self.engine(waiting: 0)
            http.answer { request in
                if request.address.port == 8_000 { throw OutboundFailure.connect("refused") }
                return try await works(request)
            }
            try await run(for: .milliseconds(200), sleepers: 4)
            #expect(store.current.available.map(\.id.name) == ["b"])
            #expect(store.current.outages.map(\.detail) == ["cannot connect: refused"])
            try await run(for: .seconds(60), sleepers: 4)
            #expect(store.current.available.map(\.id.name) == ["b"])
            http.answer(with: works)
            try await run(for: .milliseconds(250), sleepers: 4)
            #expect(store.current.available.map(\.id.name) == ["a", "b"])
        }
    }

    @Test func aPageElsewhereSaysNothingOfTheEndpoint() async throws {
        var configuration = ScrapeConfiguration()
        configuration.metricsPort = 9_400
        let answer: FakeOutboundHTTP.Answer = { request in
            if request.address.port == 9_400 { throw OutboundFailure.connect("refused") }
            return .text("", status: 404)
        }
        try await withScraper([.made("a")], configuration: configuration, answer: answer) { store, http in
            try await run(for: .seconds(3), sleepers: 2)
            #expect(http.requests.contains { $0.address.port == 9_400 && $0.path == "/metrics" })
            #expect(store.current.available.count == 1)
        }
    }

    @Test func anEndpointWithoutPagesIsFine() async throws {
        let metrics = try DataLayerMetrics.made()
        let answer: FakeOutboundHTTP.Answer = { _ in .text("not found", status: 404) }
        try await withScraper([.made("a")], metrics: metrics, answer: answer) { store, http in
            try await run(for: .milliseconds(9_999), sleepers: 2)
            #expect(http.requests.count { $0.path == "/metrics" } == 10)
            #expect(http.requests.count { $0.path == "/v1/models" } == 5)
            #expect(store.current.available.count == 1)
            #expect(store.current.endpoints[0].metricsUpdatedAt == nil)
            #expect(!store.current.models.allEndpointsHaveTold)
            #expect(metrics.pollErrors.child("metrics-data-source").value == 0)
        }
    }

    @Test func aSlowAnswerIsNotOvertaken() async throws {
        let running = Mutex(0)
        let most = Mutex(0)
        let slow = FakeOutboundHTTP.delayed(by: .milliseconds(720), on: clock, Self.engine(waiting: 1))
        let answer: FakeOutboundHTTP.Answer = { request in
            guard request.path == "/metrics" else { return .text("", status: 404) }
            let now = running.withLock { count in
                count += 1
                return count
            }
            most.withLock { $0 = max($0, now) }
            defer { running.withLock { $0 -= 1 } }
            return try await slow(request)
        }
        try await withScraper([.made("a")], answer: answer) { store, http in
            try await run(for: .seconds(6), sleepers: 2)
            #expect(most.withLock { $0 } == 1)
            #expect(http.requests.count { $0.path == "/metrics" } == 9, "every 750 ms")
            #expect(store.current.endpoints[0].metrics.waitingQueueSize == 1)
        }
    }

    @Test func theEngineIsTakenFromTheLabelOrRecognised() async throws {
        let sglang = "# TYPE sglang:num_queue_reqs gauge\nsglang:num_queue_reqs 6\n"
        let answer: FakeOutboundHTTP.Answer = { _ in .text(sglang) }
        let endpoints: [EndpointDescription] = [
            .made("plain"), .made("labelled", port: 1, labels: ["llm-d.ai/engine-type": "sglang"]),
            .made("wrong", port: 2, labels: ["llm-d.ai/engine-type": "vllm"]),
        ]
        try await withScraper(endpoints, answer: answer) { store, _ in
            try await run(for: .milliseconds(50), sleepers: 6)
            #expect(store.current.endpoints.map(\.metrics.waitingQueueSize) == [6, 6, 0])
        }
    }

    @Test func cancellationEndsItInTheMiddleOfAnAnswer() async throws {
        let answer = FakeOutboundHTTP.delayed(by: .seconds(3_600), on: clock) { _ in .text("") }
        try await withScraper([.made("a")], answer: answer) { _, http in
            try await http.waitForRequests(2)
        }
        #expect(clock.sleeperCount == 0)
    }

    @Test func manyEndpointsAreAskedAtOnceOnlyAtTheBeginning() async throws {
        let times = Mutex<[Int64: Int]>([:])
        let clock = clock
        let answer: FakeOutboundHTTP.Answer = { request in
            if request.path == "/metrics" { times.withLock { $0[clock.now.nanoseconds / 1_000_000, default: 0] += 1 } }
            return .text("", status: 200)
        }
        try await withScraper((0..<50).map { .made("e\($0)", port: $0) }, answer: answer) { _, _ in
            try await run(for: .milliseconds(499), sleepers: 100)
        }
        let counts = times.withLock { $0 }
        #expect(counts[0] == 50)
        #expect((500...550).contains(counts.values.reduce(0, +)))
        #expect(counts.allSatisfy { $0.key == 0 || $0.value <= 8 }, "per millisecond")
    }
}
