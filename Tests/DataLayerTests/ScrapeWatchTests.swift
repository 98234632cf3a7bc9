import DataLayer
import GatewayCore
import GatewayTesting
import Telemetry
import Testing

@Suite struct ScrapeWatchTests {
    private static let page = "# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting 5\n"

    private func endpoint(labels: [String: String] = [:]) -> EndpointSnapshot {
        let store = EndpointStore(pool: PoolID(name: "pool"), clock: ManualClock())
        store.replaceEndpoints([.made("a", labels: labels)])
        return store.current.endpoints[0]
    }

    private func milliseconds(_ value: Int64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: value * 1_000_000)
    }

    private func metricsWatch(_ configuration: ScrapeConfiguration = ScrapeConfiguration()) -> MetricsWatch {
        MetricsWatch(
            of: endpoint(),
            configuration: configuration,
            engines: PreparedEngines(configuration.engines),
            now: milliseconds(0)
        )
    }

    @Test func aQuestionIsDueOnceAndAgainAfterItsAnswer() throws {
        var watch = metricsWatch()
        #expect(watch.nextDue == milliseconds(0))
        watch.ask(endpoint(), at: milliseconds(0))
        #expect(watch.nextDue == nil, "an answer is awaited")
        let answer = watch.answered(.success(.text(Self.page)), at: milliseconds(3))
        let finding = try #require(answer)
        #expect(watch.nextDue == milliseconds(50))
        #expect(finding.startedAt == milliseconds(0) && finding.result == .success && !finding.isPollError)
        #expect(finding.reach == .answered && finding.metrics?.waitingQueueSize == 5)
        #expect(watch.answered(.success(.text(Self.page)), at: milliseconds(4)) == nil, "nothing was asked")
        #expect(watch.nextDue == milliseconds(50))
    }

    @Test func statusesSayDifferentThings() throws {
        for (status, reach, isPollError, next) in [
            (404, ScrapeFinding.Reach.answered, false, 1_000 as Int64), (401, .answered, true, 50),
            (503, .unknown, true, 50),
        ] {
            var watch = metricsWatch()
            watch.ask(endpoint(), at: milliseconds(0))
            let answer = watch.answered(.success(.text("", status: status)), at: milliseconds(1))
            let finding = try #require(answer)
            #expect(finding.result == .status && finding.metrics == nil, "\(status)")
            #expect(finding.reach == reach && finding.isPollError == isPollError, "\(status)")
            #expect(watch.nextDue == milliseconds(next), "\(status)")
        }
    }

    @Test func onlyARefusedConnectionSpeaksAgainstTheEndpoint() throws {
        for (failure, reach) in [
            (OutboundFailure.connect("no"), ScrapeFinding.Reach.refused(detail: "cannot connect: no")),
            (.timedOut, .unknown), (.badResponse("cut"), .unknown), (.overLimit("long"), .unknown),
        ] {
            var watch = metricsWatch()
            watch.ask(endpoint(), at: milliseconds(0))
            let answer = watch.answered(.failure(failure), at: milliseconds(1))
            let finding = try #require(answer)
            #expect(finding.reach == reach && finding.isPollError)
        }
        var configuration = ScrapeConfiguration()
        configuration.metricsPort = 9_400
        var watch = metricsWatch(configuration)
        #expect(watch.request.address.port == 9_400)
        watch.ask(endpoint(), at: milliseconds(0))
        #expect(watch.answered(.failure(.connect("no")), at: milliseconds(1))?.reach == .unknown)
    }

    @Test func otherEnginesAreTriedOncePerSecond() throws {
        let sglang = OutboundResponse.text("# TYPE sglang:num_queue_reqs gauge\nsglang:num_queue_reqs 6\n")
        var watch = metricsWatch()
        watch.ask(endpoint(), at: milliseconds(0))
        #expect(watch.answered(.success(.text("other 1\n")), at: milliseconds(1))?.result == .page)
        watch.ask(endpoint(), at: milliseconds(50))
        #expect(watch.answered(.success(sglang), at: milliseconds(51))?.result == .page)
        watch.ask(endpoint(), at: milliseconds(1_000))
        #expect(watch.answered(.success(sglang), at: milliseconds(1_001))?.metrics?.waitingQueueSize == 6)
    }

    @Test func theModelListIsAskedForUntilItIsKnownAndThenSlowly() throws {
        var watch = ModelsWatch(of: endpoint(), configuration: ScrapeConfiguration(), now: milliseconds(0))
        #expect(watch.nextDue == milliseconds(0))
        watch.ask(endpoint(), at: milliseconds(0))
        #expect(watch.nextDue == nil)
        #expect(watch.answered(.success(.text("no list")), at: milliseconds(1))?.isPollError == true)
        #expect(watch.nextDue == milliseconds(250))
        watch.ask(endpoint(), at: milliseconds(0))
        let answer = watch.answered(.success(.text(#"{"data":[{"id":"m"}]}"#)), at: milliseconds(252))
        let finding = try #require(answer)
        #expect(finding.models?.map(\.id) == ["m"] && !finding.isPollError)
        #expect(watch.nextDue == milliseconds(2_000))
        watch.ask(endpoint(), at: milliseconds(0))
        #expect(watch.answered(.success(.text("", status: 404)), at: milliseconds(2_001))?.isPollError == false)
        #expect(watch.nextDue == milliseconds(4_000))
    }
}
