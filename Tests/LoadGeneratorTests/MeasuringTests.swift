import GatewayCore
import Testing

@testable import LoadGenerator

/// A request that was answered, with instants in milliseconds.
func answered(at scheduled: Int64, first: Int64, gaps: [Int64], output: Int? = nil) -> RequestRecord {
    var record = RequestRecord(scheduled: scheduled * 1_000_000)
    record.sent = record.scheduled
    record.firstToken = first * 1_000_000
    record.gaps = gaps.map { $0 * 1_000_000 }
    record.lastToken = (first + gaps.reduce(0, +)) * 1_000_000
    record.ended = record.lastToken
    record.textEvents = gaps.count + 1
    record.status = 200
    record.usage = output.map { TokenUsage(prompt: 10, output: $0, cached: 5) }
    return record
}

struct RunMeasureTests {
    @Test func aRequestIsMeasuredFromItsSchedule() {
        var measure = RunMeasure(origin: 0)
        measure.record(answered(at: 100, first: 150, gaps: [10, 30], output: 5), objectives: nil)
        #expect(measure.timeToFirstToken.mean == 50e6)
        #expect(measure.endToEnd.mean == 90e6)
        // Five tokens by usage, so four behind the first one in 40 ms.
        #expect(measure.timePerOutputToken.mean == 10e6)
        #expect(measure.interTokenLatency.count == 2)
        #expect(measure.outputTokens == 5)
        #expect(measure.seconds == 0.09)
    }

    @Test func goodputCountsWhatKeepsAllObjectives() throws {
        let objectives = try #require(LatencyObjectives("ttft=60ms,itl=25ms,tpot=20ms,e2e=200ms"))
        var measure = RunMeasure(origin: 0)
        measure.record(answered(at: 0, first: 60, gaps: [20, 20]), objectives: objectives)
        measure.record(answered(at: 0, first: 61, gaps: [20, 20]), objectives: objectives)
        measure.record(answered(at: 0, first: 10, gaps: [10, 26]), objectives: objectives)
        measure.record(answered(at: 0, first: 10, gaps: [25, 25]), objectives: objectives)
        measure.record(answered(at: 0, first: 10, gaps: Array(repeating: 10, count: 20)), objectives: objectives)
        #expect(measure.good == 1)
        #expect(measure.completed == 5)
        for text in ["", "ttft", "ttft=5", "ttft=-5ms", "speed=5ms", "ttft=1s,ttft=2s"] {
            #expect(LatencyObjectives(text) == nil, "'\(text)'")
        }
    }

    @Test func failuresAreCountedByReasonAndNowhereElse() {
        var measure = RunMeasure(origin: 0)
        var refused = RequestRecord(scheduled: 0)
        refused.failure = "status 429, saturated"
        refused.ended = 5
        measure.record(refused, objectives: nil)
        measure.record(refused, objectives: nil)
        #expect(measure.failures == ["status 429, saturated": 2])
        #expect(measure.endToEnd.count == 0)
        #expect(measure.completed == 0)
    }

    @Test func namesAreBounded() {
        var measure = RunMeasure(origin: 0)
        for number in 0..<RunMeasure.namesMax + 10 {
            var record = RequestRecord(scheduled: 0)
            record.failure = "reason \(number)"
            measure.record(record, objectives: nil)
        }
        #expect(measure.failures.count == RunMeasure.namesMax + 1)
        #expect(measure.failures[RunMeasure.otherName] == 10)
    }

    @Test func loopsAddUp() {
        var (one, other, all) = (RunMeasure(origin: 0), RunMeasure(origin: 0), RunMeasure(origin: 0))
        for number in 0..<100 as Range<Int64> {
            var record = answered(at: number * 50, first: number * 50 + 20, gaps: [5, 5], output: 3)
            record.server = "engine-\(number % 3)"
            all.record(record, objectives: nil)
            if number % 2 == 0 { one.record(record, objectives: nil) } else { other.record(record, objectives: nil) }
        }
        one.merge(other)
        #expect(one.shares == all.shares)
        #expect(one.completed == 100)
        #expect(one.span == all.span)
        #expect(one.timeline.bins.map(\.outputTokens) == all.timeline.bins.map(\.outputTokens))
        #expect(one.timeline.bins.map(\.outputTokens).reduce(0, +) == 300)
        #expect(one.cachedTokens == 500)
    }

    @Test func aLongRunHasFewBins() {
        var timeline = RunTimeline(origin: 0)
        for second in 0..<100_000 as Range<Int64> { timeline.note(at: second * 1_000_000_000) { $0.completed += 1 } }
        #expect(timeline.bins.count <= RunTimeline.binsMax)
        #expect(timeline.bins.reduce(0) { $0 + $1.completed } == 100_000)
        #expect(timeline.binSeconds == 256)
        var short = RunTimeline(origin: 0)
        short.note(at: 300_000_000_000) { $0.completed += 1 }
        short.merge(timeline)
        #expect(short.binSeconds == 256)
        #expect(short.bins[1].completed == 257)
    }
}

struct ThresholdTests {
    private let values = ["p99_ttft_ms": 1_200.0, "median_e2el_ms": 50, "error_rate": 0.02, "request_throughput": 9]

    @Test(arguments: [
        ("p99_ttft>1s", true), ("p99_ttft>1.3s", false), ("p99_ttft_ms>1200", false), ("p99_ttft_ms>=1200", true),
        ("p50_e2e>40ms", true), ("error_rate>0.01", true), ("error_rate > 0.05", false),
        ("request_throughput<10", true), ("request_throughput<=8", false), ("p99_itl>1ms", true),
    ])
    func itFailsWhenItHolds(text: String, fails: Bool) throws {
        let threshold = try #require(Threshold(text))
        #expect((threshold.failure { values[$0] } != nil) == fails)
    }

    @Test func whatIsNoConditionIsRefused() {
        for text in ["", "p99_ttft", ">1s", "p99_ttft>", "p99_ttft>soon", "ratio:p99_ttft>1s"] {
            #expect(Threshold(text) == nil, "'\(text)'")
        }
        #expect(Threshold("ratio:p99_ttft>1.05")?.isRatio == true)
    }
}
