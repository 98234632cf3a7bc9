import GatewayCore
import Telemetry
import Testing

@testable import MartletApp

@Suite struct LiveHistoryTests {
    private func reading(second: Int, _ change: (inout TrafficReading) -> Void = { _ in }) -> TrafficReading {
        var reading = TrafficReading(
            at: MonotonicInstant(nanoseconds: Int64(second) * 1_000_000_000),
            unixTime: 1_000 + Double(second)
        )
        change(&reading)
        return reading
    }

    @Test func ratesAreThoseOfTheLastSecond() {
        var history = LiveHistory()
        history.add(reading(second: 0) { $0.requests = 10 })
        #expect(history.figures.isEmpty, "one moment has no rate")
        history.add(reading(second: 1) { ($0.requests, $0.errors, $0.promptTokens) = (14, 1, 50) })
        history.add(
            reading(second: 3) {
                ($0.requests, $0.errors, $0.promptTokens) = (24, 2, 60)
                ($0.inFlight, $0.waiting, $0.processorSeconds) = (7, 3, 2)
            }
        )
        #expect(history.figures.map(\.requests) == [4, 5])
        #expect(history.figures.map(\.errors) == [1, 0.5])
        #expect(history.figures.map(\.promptTokens) == [50, 5])
        #expect(history.last.inFlight == 7 && history.last.waiting == 3)
        #expect(history.last.processors == nil, "there is nothing to compare with")
        history.add(reading(second: 4) { ($0.requests, $0.processorSeconds) = (20, 2.25) })
        #expect(history.last.requests == 0, "a series that left is no traffic")
        #expect(history.last.processors == 0.25)
    }

    @Test func quantilesAreThoseOfTheWindow() throws {
        let definition = MetricDefinition(name: "t", type: .histogram, buckets: [1, 2, 4], help: "T.")
        let histogram = try MetricRegistry().histogram(definition)
        var history = LiveHistory()
        func add(second: Int) {
            history.add(reading(second: second) { $0.timeToFirstToken = HistogramTotals(histogram) })
        }
        histogram.observe(3)
        add(second: 0)
        add(second: 1)
        #expect(history.last.timeToFirstToken == nil, "what was before the first moment does not count")
        for _ in 0..<10 { histogram.observe(1.5) }
        for second in 2...11 { add(second: second) }
        #expect(history.last.timeToFirstToken?.median == 1.5)
        #expect(history.last.timeToFirstToken?.ninetieth == 1.9)
        add(second: 12)
        #expect(history.last.timeToFirstToken == nil, "ten seconds later nothing is left of it")
    }

    @Test func hitsAreShares() {
        var history = LiveHistory()
        history.add(reading(second: 0) { ($0.promptTokens, $0.cachedTokens) = (100, 100) })
        history.add(reading(second: 1) { ($0.promptTokens, $0.cachedTokens) = (100, 100) })
        #expect(history.last.cacheHit == nil)
        history.add(reading(second: 2) { ($0.promptTokens, $0.cachedTokens) = (300, 150) })
        #expect(history.last.cacheHit == 0.25)
    }

    @Test func onlySoMuchIsKept() {
        var history = LiveHistory()
        for second in 0..<500 { history.add(reading(second: second)) }
        #expect(history.figures.count == 300)
        #expect(history.figures.first?.unixTime == 1_200 && history.last.unixTime == 1_499)
    }
}
