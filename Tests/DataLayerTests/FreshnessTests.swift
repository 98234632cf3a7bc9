import DataLayer
import GatewayCore
import GatewayTesting
import Telemetry
import Testing

/// An endpoint whose page does not come leaves the pace and the values of all others as they are.
@Suite struct FreshnessTests {
    private static let good = "# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting 3\n"

    private func oldest(_ rig: ScrapeRig, among endpoints: some Sequence<EndpointSnapshot>) throws -> Duration {
        try endpoints.map { rig.clock.now.since(try #require($0.metricsUpdatedAt)) }.max() ?? .zero
    }

    @Test(arguments: [
        // A server that hangs and a page that drips are the same to the scraper: no page within the limit.
        (OutboundFailure.timedOut, Duration.seconds(1), 1 as Int), (.overLimit("9 MB"), .milliseconds(200), 5),
    ])
    func othersAreAsFreshAsWithoutIt(failure: OutboundFailure, lasts: Duration, looksPerSecond: Int) throws {
        let endpoints = (0..<20).map { EndpointDescription.made("e\($0)", port: $0) }
        let rig = try ScrapeRig(endpoints) { request in
            request.path == "/metrics" ? .text(Self.good) : .text(#"{"data":[{"id":"m"}]}"#)
        }
        rig.run(for: .milliseconds(3))
        let isBad: @Sendable (OutboundRequest) -> Bool = { $0.address.port == 8_000 && $0.path == "/metrics" }
        rig.http.delay(by: lasts, on: rig.clock, where: isBad)
        rig.http.answer { request throws(OutboundFailure) in
            if isBad(request) { throw failure }
            return request.path == "/metrics" ? .text(Self.good) : .text(#"{"data":[{"id":"m"}]}"#)
        }
        let before = (1..<20).map { rig.requests("/metrics", port: 8_000 + $0) }
        let badBefore = rig.requests("/metrics", port: 8_000)
        for _ in 0..<4_000 {
            rig.run(for: .milliseconds(1))
            let others = rig.store.current.endpoints.dropFirst()
            #expect(try oldest(rig, among: others) < .milliseconds(50))
        }
        for (index, count) in before.enumerated() {
            #expect(rig.requests("/metrics", port: 8_001 + index) - count == 80)
        }
        #expect(rig.store.current.endpoints.allSatisfy { $0.metrics.waitingQueueSize == 3 })
        #expect(try oldest(rig, among: rig.store.current.endpoints.prefix(1)) > .seconds(3), "its own age goes on")
        let looks = rig.requests("/metrics", port: 8_000) - badBefore
        #expect((4 * looksPerSecond - 4...4 * looksPerSecond).contains(looks), "\(looks)")
    }
}
