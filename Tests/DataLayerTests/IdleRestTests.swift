import DataLayer
import GatewayCore
import GatewayTesting
import Telemetry
import Testing

@Suite struct IdleRestTests {
    private static func page(waiting: Int, running: Int) -> FakeOutboundHTTP.Answer {
        { request in
            request.path == "/metrics"
                ? .text(
                    """
                    # TYPE vllm:num_requests_waiting gauge
                    vllm:num_requests_waiting \(waiting)
                    # TYPE vllm:num_requests_running gauge
                    vllm:num_requests_running \(running)

                    """
                ) : .text(#"{"data":[{"id":"m"}]}"#)
        }
    }

    private static let idle = page(waiting: 0, running: 0)

    private func rig(
        _ names: [String] = ["a"],
        idleInterval: Duration? = .seconds(1),
        answer: @escaping FakeOutboundHTTP.Answer = idle
    ) throws -> ScrapeRig {
        var configuration = ScrapeConfiguration()
        configuration.idleInterval = idleInterval
        let endpoints = names.enumerated().map { EndpointDescription.made($1, port: $0) }
        return try ScrapeRig(endpoints, configuration: configuration, answer: answer)
    }

    /// How often the endpoint at `port` is looked at within the next `duration`.
    private func looks(_ rig: ScrapeRig, for duration: Duration, port: Int = 8_000) -> Int {
        let before = rig.requests("/metrics", port: port)
        rig.run(for: duration)
        return rig.requests("/metrics", port: port) - before
    }

    @Test func anIdleEndpointIsLookedAtOncePerIdleInterval() throws {
        let resting = try rig()
        let usual = try rig(idleInterval: nil)
        #expect(looks(resting, for: .milliseconds(59_999)) == 60)
        #expect(looks(usual, for: .milliseconds(59_999)) == 1_200)
    }

    @Test func restsAreNoLongerThanTheIdleIntervalWhereverTheGridIs() throws {
        let names = (0..<70).map { "e\($0)" }
        let rig = try rig(names, idleInterval: .milliseconds(730))
        rig.run(for: .milliseconds(3))
        var oldest = Duration.zero
        for _ in 0..<3_000 {
            rig.run(for: .milliseconds(1))
            for endpoint in rig.store.current.endpoints {
                oldest = max(oldest, rig.clock.now.since(try #require(endpoint.metricsUpdatedAt)))
            }
        }
        #expect(oldest <= .milliseconds(730))
        #expect(oldest >= .milliseconds(650), "they do rest")
    }

    @Test func aRequestEndsTheRestOfItsEndpointAtTheNextPointOfTheGrid() throws {
        let rig = try rig(["a", "b"])
        rig.run(for: .milliseconds(210))
        let lease = rig.store.open(rig.store.current.endpoints[0], tokens: 1)
        #expect(looks(rig, for: .milliseconds(39)) == 0)
        #expect(looks(rig, for: .milliseconds(1)) == 1, "as without rests: at 250 ms")
        #expect(looks(rig, for: .milliseconds(500)) == 10)
        #expect(rig.requests("/metrics", port: 8_001) == 1, "the other one goes on resting")
        lease.close(.completed)
        #expect(looks(rig, for: .seconds(1)) == 1, "the last page shows no work")
    }

    @Test func aBurstFromElsewhereIsSeenWithinTheIdleIntervalAndThenAtTheUsualPace() throws {
        let rig = try rig()
        rig.run(for: .milliseconds(100))
        rig.http.answer(with: Self.page(waiting: 4, running: 8))
        rig.run(for: .milliseconds(900))
        #expect(rig.store.current.endpoints[0].metrics.waitingQueueSize == 4)
        #expect(looks(rig, for: .seconds(1)) == 20)
        rig.http.answer(with: Self.page(waiting: 0, running: 1))
        #expect(looks(rig, for: .seconds(1)) == 20, "running requests are work")
        rig.http.answer(with: Self.idle)
        #expect(looks(rig, for: .seconds(2)) == 2)
    }

    @Test(arguments: [
        "# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting 0\n",
        "# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting 0\n"
            + "# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running NaN\n",
        "something else\n", "",
    ])
    func aPageThatDoesNotTellOfNoWorkAllowsNoRest(page: String) throws {
        let rig = try rig { request in request.path == "/metrics" ? .text(page) : .text("", status: 404) }
        #expect(looks(rig, for: .milliseconds(999)) == 20)
    }

    @Test func aFailureEndsTheRest() throws {
        let rig = try rig()
        rig.run(for: .milliseconds(500))
        rig.http.answer { _ throws(OutboundFailure) in throw .timedOut }
        rig.run(for: .milliseconds(501))
        #expect(looks(rig, for: .milliseconds(500)) == 10)
        rig.http.answer { _ throws(OutboundFailure) in throw .connect("refused") }
        rig.run(for: .milliseconds(200))
        #expect(looks(rig, for: .milliseconds(1_000)) >= 4, "a return is watched for at the usual pace")
    }

    @Test func aTimerThatComesLateLooksAtOnce() throws {
        let rig = try rig()
        rig.run(for: .milliseconds(10))
        rig.clock.advance(by: .seconds(5))
        #expect(rig.requests("/metrics") == 2)
        #expect(rig.store.current.endpoints[0].metricsUpdatedAt == rig.clock.now)
    }
}
