import GatewayCore
import GatewayTesting
import Testing

@testable import CustomPlugins

/// What each plugin does.
@Suite struct BehaviourTests {
    /// Makes a plugin from `parameters`, as a pipeline does.
    private func make<Made: Plugin>(
        _ type: Made.Type,
        _ parameters: ConfigurationValue? = nil,
        clock: any MonotonicClock = SystemMonotonicClock()
    ) throws -> Made {
        var context = PluginContext(clock: clock)
        return try Made(parameters: ParameterDecoder(value: parameters), context: &context)
    }

    @Test func theScorerPrefersFreeBlocks() throws {
        let scorer = try make(FreeBlocksScorer.self, ["reserve": 0.25])
        let candidates = Candidates.sample(
            [(0.25, 100), (0.25, 50), (0.8, 100), (.nan, 100), (0, -1)].map { usage, blocks in
                EndpointMetrics(kvCacheUsage: usage, cacheBlockCount: blocks)
            }
        )
        var scores = [Double](repeating: 0, count: candidates.count)
        var span = scores.mutableSpan
        scorer.score(candidates, context: .sample(), into: &span)
        #expect(scores == [1, 0.5, 0, 0, 0])
    }

    @Test func theFilterSparesWhoFailed() throws {
        let start = MonotonicInstant(nanoseconds: 0)
        let clock = ManualClock(start: start)
        let filter = try make(CooldownFilter.self, ["period": "5s"], clock: clock)
        let all = Candidates.sample(count: 2)
        func left(at second: Int64) -> [Int] {
            var candidates = all
            var context = SchedulingContext.sample(at: start.advanced(by: .seconds(second)))
            filter.filter(&candidates, context: &context)
            return candidates.positions
        }
        #expect(left(at: 0) == [0, 1])
        filter.didEnd(.sample(), endpoint: all[0], outcome: .completed, usage: nil)
        #expect(left(at: 0) == [0, 1])
        filter.didEnd(.sample(), endpoint: all[0], outcome: .connectFailed, usage: nil)
        #expect(left(at: 4) == [1])
        #expect(left(at: 5) == [0, 1])
        filter.didEnd(.sample(), endpoint: all[1], outcome: .timedOut, usage: nil)
        #expect(left(at: 4) == [0, 1])
    }

    @Test func theParserReadsModelAndPrompt() throws {
        let parser = try make(PlainTextParser.self)
        func parse(_ text: String) throws(Rejection) -> ParsedRequest {
            try parser.parse(text.utf8Span.span.bytes, headers: HeaderMap(), path: "/plain/completions")
        }
        #expect(try parse("llama\nHello") == ParsedRequest(model: "llama", promptRanges: [6..<11]))
        #expect(try parse("llama") == ParsedRequest(model: "llama", promptRanges: [5..<5]))
        #expect(throws: Rejection.self) { try parse("\nHello") }
        #expect(throws: Rejection.self) { try parse("") }
    }

    @Test func theDetectorCountsRequests() throws {
        let detector = try make(RequestBudgetDetector.self, ["requestsPerEndpoint": 2])
        func saturation(_ requests: [Int]) -> Double {
            let endpoints = requests.enumerated().map { slot, requests in
                EndpointSnapshot.sample("e\(slot)", slot: slot, requestsInFlight: requests)
            }
            return detector.saturation(of: Candidates(endpoints), now: MonotonicInstant(nanoseconds: 0))
        }
        #expect(saturation([]) == 1)
        #expect(saturation([0, 0]) == 0)
        #expect(saturation([2, 4]) == 1.5)
    }
}
