import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

/// A `prefix-cache-affinity-filter` over endpoints with matches, loads and predictions as a test says.
private struct AffinityPool {
    let filter: PrefixCacheAffinityFilter
    let consumed: [String]
    let endpoints: [EndpointSnapshot]
    private let matches: DataWriter<PrefixCacheMatches>
    private let predictions: DataWriter<LatencyPredictions>
    private let slotCount: Int

    /// - Parameter inFlight: the tokens in flight on each endpoint.
    init(_ parameters: ConfigurationValue? = nil, inFlight: [Int] = [0, 0, 0, 0]) throws {
        var context = PluginContext(clock: SystemMonotonicClock())
        filter = try make(PrefixCacheAffinityFilter.self, parameters, context: &context)
        consumed = context.consumed.map(\.key)
        matches = context.produce(PrefixCacheMatches.key, as: PrefixCacheMatches.key.defaultProducer)
        predictions = context.produce(LatencyPredictions.key, as: LatencyPredictions.key.defaultProducer)
        slotCount = context.slotCount
        endpoints = inFlight.enumerated().map { slot, tokens in
            let endpoint = EndpointSnapshot.sample("e\(slot)", slot: slot)
            endpoint.load.add(tokens: tokens)
            return endpoint
        }
    }

    /// The slots that the filter keeps when each endpoint holds so many of ten blocks.
    func kept(_ held: [Int32]?, ttft: [Double?] = [], blocks: Int = 10, seed: UInt64 = 1, only: [Int]? = nil) -> [Int] {
        var context = SchedulingContext.sample(slotCount: slotCount, seed: seed)
        if let held {
            context.scratch[matches] = PrefixCacheMatches(
                hashes: Array(repeating: 1, count: blocks), blockSizeTokens: 64, matchedBlocks: held
            )
        }
        context.scratch[predictions] = LatencyPredictions(
            ttft.map { time in time.map { LatencyPredictions.Prediction(ttft: $0) } }
        )
        var candidates = Candidates(endpoints)
        if let only { candidates.keep { only.contains($0.slot) } }
        filter.filter(&candidates, context: &context)
        return candidates.positions
    }
}

@Suite struct PrefixCacheAffinityFilterTests {
    private let all = [0, 1, 2, 3]

    @Test func keepsThoseThatHoldNearlyAllOfThePrompt() throws {
        let pool = try AffinityPool()
        #expect(pool.kept([7, 8, 10, 0]) == [1, 2])
        #expect(pool.kept([7, 7, 0, 0]) == all, "nobody holds enough")
        #expect(pool.kept([8, 9, 10, 8]) == all)
        #expect(pool.kept([0, 10]) == [1])
        #expect(pool.kept([]) == all && pool.kept(nil) == all && pool.kept([], blocks: 0) == all)
        #expect(pool.kept([7, 8, 10, 0], only: [0]) == [0], "a single candidate stays")
        #expect(pool.kept([7, 8, 10, 0], only: []) == [])
    }

    @Test(
        arguments: [
            (0, [0, 1, 2, 3]), (-3, [0, 1, 2, 3]), (0.1, [1, 2]), (0.55, [2]), (1, [0, 1, 2, 3]),
        ] as [(Double, [Int])])
    func theThresholdIsAShareOfThePrompt(threshold: Double, kept: [Int]) throws {
        let pool = try AffinityPool(["affinityThreshold": .init(floatLiteral: threshold)])
        #expect(pool.kept([0, 10, 55, 9], blocks: 100) == kept)
    }

    @Test func stickinessEndsWhereOthersAreMuchFaster() throws {
        // 1,000 tokens a second: a token is a millisecond.
        let parameters: ConfigurationValue = ["peakPrefillThroughput": 1000, "maxTTFTPenaltyMs": 500]
        #expect(try AffinityPool(parameters, inFlight: [600, 900, 400, 100]).kept([10, 10]) == [0, 1])
        #expect(try AffinityPool(parameters, inFlight: [601, 900, 400, 100]).kept([10, 10]) == all)
        #expect(try AffinityPool(parameters, inFlight: [601, 599, 400, 100]).kept([10, 10]) == [0, 1])
        #expect(try AffinityPool(parameters, inFlight: [0, 0, .max, 900]).kept([10, 10]) == [0, 1])
        // The default: 18 s at 15,928 tokens a second are 286,704 tokens.
        #expect(try AffinityPool(inFlight: [286_704, 0]).kept([10]) == [0])
        #expect(try AffinityPool(inFlight: [286_705, 0]).kept([10]) == [0, 1])
        #expect(try AffinityPool(["maxTTFTPenaltyMs": 0], inFlight: [.max, 0]).kept([10]) == [0])
    }

    @Test func aPredictorsTimesAreUsedOnDemand() throws {
        let parameters: ConfigurationValue = ["ttftSource": "latencyPredictor", "maxTTFTPenaltyMs": 500]
        let pool = try AffinityPool(parameters, inFlight: [.max, 0, 0, 0])
        #expect(pool.kept([10], ttft: [600, 100, 900]) == [0])
        #expect(pool.kept([10], ttft: [601, 100, 900]) == all)
        #expect(pool.kept([10], ttft: []) == [0], "nobody known against nobody known")
        #expect(pool.kept([10], ttft: [nil, 100]) == all, "an unknown time is the longest")
        #expect(pool.kept([10], ttft: [900_000]) == [0])
        #expect(pool.kept([10], ttft: [.nan, .nan, .infinity, -.infinity]) == all)
        #expect(pool.kept([10], ttft: [.infinity, .nan]) == [0])
    }

    @Test func onlyTheDataOfTheSourceAreRequired() throws {
        let matches = "PrefixCacheMatchInfo/approx-prefix-cache-producer"
        #expect(try AffinityPool().consumed == [matches, "InFlightLoad/inflight-load-producer"])
        #expect(try AffinityPool(["maxTTFTPenaltyMs": 0]).consumed == [matches])
        let named: ConfigurationValue = [
            "ttftSource": "latencyPredictor", "prefixMatchInfoProducerName": "p",
            "latencyPredictionInfoProducerName": "l", "inFlightLoadProducerName": "i",
        ]
        #expect(try AffinityPool(named).consumed == ["PrefixCacheMatchInfo/p", "LatencyPredictionInfo/l"])
    }

    @Test func exploresAsOftenAsConfigured() throws {
        let pool = try AffinityPool(["explorationProbability": 0.25])
        let explored = (0..<2000).count { pool.kept([10], seed: UInt64($0)) == all }
        #expect((400...600).contains(explored))
        #expect(try AffinityPool(["explorationProbability": 1]).kept([10]) == all)
    }

    @Test(
        arguments: [
            (["affinityThreshold": 1.1], "1.1 is not in"),
            (["explorationProbability": -0.1], "-0.1 is not in 0.0 to 1.0"),
            (["maxTTFTPenaltyMs": -1], "-1 is not in"),
            (["peakPrefillThroughput": 0], "must be above 0 when ttftSource is prefillThroughput, and is 0.0"),
            (["ttftSource": "guess"], "\"guess\" is not one of prefillThroughput, latencyPredictor"),
        ] as [(ConfigurationValue, String)])
    func refusesBadParameters(parameters: ConfigurationValue, message: String) {
        let text = failure(PrefixCacheAffinityFilter.self, parameters)
        #expect(text?.contains(message) == true, "\(text ?? "no error")")
    }
}
