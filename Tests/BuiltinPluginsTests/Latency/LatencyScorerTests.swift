import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

@Suite struct LatencyScorerTests {
    private typealias Prediction = LatencyPredictions.Prediction

    private func scored(
        _ predictions: [Prediction?],
        _ parameters: ConfigurationValue? = nil
    ) throws -> [Double] {
        let scene = try LatencyScene(LatencyScorer.self, parameters)
        return scores(scene.plugin, .sample(count: predictions.count), context: scene.context(predictions))
    }

    @Test(
        arguments: [
            // One endpoint: nothing to compare with.
            ([.headroom(100, 10)], [0.51]),
            // All equal.
            ([.headroom(100, 10), .headroom(100, 10)], [0.51, 0.51]),
            // The least headroom first, by 0.8 of the first token and 0.2 of the others: c = 0, 0.44 and 0.8.
            ([.headroom(0, 0), .headroom(30, 20), .headroom(100, 0)], [1, 0.57, 0.2]),
            // A headroom that is equal everywhere does not count, and its weight goes to the other.
            ([.headroom(10, 5), .headroom(30, 5)], [1, 0.01]),
            ([.headroom(10, 5), .headroom(10, 15)], [1, 0.01]),
            // Without a prediction there is no headroom.
            ([.headroom(100, 0), nil], [0.01, 1]),
            // Who misses an objective is not scored beside those that do not.
            ([.headroom(100, 10), .headroom(-1, 10), .headroom(10, -1)], [0.51, 0, 0]),
            ([nil, .headroom(-1, -1)], [0.51, 0]),
        ] as [([LatencyPredictions.Prediction?], [Double])])
    func leastHeadroomFirst(predictions: [LatencyPredictions.Prediction?], expected: [Double]) throws {
        #expect(try near(scored(predictions), expected))
    }

    @Test(
        arguments: [
            ([.headroom(0, 0), .headroom(50, 20), .headroom(100, 0)], [0.01, 0.61, 0.81]),
            // Those that miss objectives are scored by the least all the same.
            ([.headroom(-10, -1), .headroom(-30, -1)], [1, 0.01]),
        ] as [([LatencyPredictions.Prediction?], [Double])])
    func mostHeadroomFirst(predictions: [LatencyPredictions.Prediction?], expected: [Double]) throws {
        #expect(try near(scored(predictions, ["headroomSelectionStrategy": "most"]), expected))
    }

    @Test(
        arguments: [
            // Idle endpoints go before all that miss something.
            ([.headroom(-90, -90, dispatched: 0), .headroom(5, -1), .headroom(-1, -1)], [0.51, 0, 0]),
            ([.headroom(-10, -1, dispatched: 0), .headroom(-30, -1, dispatched: 0)], [1, 0.01]),
            // Then those that miss the time per output token only, then the time to first token, then both.
            ([.headroom(-1, -1), .headroom(-1, 5), .headroom(5, -9)], [0, 0, 0.51]),
            ([.headroom(-1, -1), .headroom(-9, 5)], [0, 0.51]),
            ([.headroom(-10, -10), .headroom(-20, -10)], [1, 0.01]),
            // An idle endpoint that keeps its objectives is one of those that do.
            ([.headroom(1, 1, dispatched: 0), .headroom(-1, -1, dispatched: 0)], [0.51, 0]),
        ] as [([LatencyPredictions.Prediction?], [Double])])
    func tiers(predictions: [LatencyPredictions.Prediction?], expected: [Double]) throws {
        #expect(try near(scored(predictions), expected))
    }

    @Test(arguments: [
        // ttft, tpot, the score of an endpoint with all the headroom for tokens and none for the first
        (0.0, 0.0, 1.0), (1, 0, 1), (0, 1, 0.01), (3, 1, 0.76),
    ])
    func weightsAreSharesOfTheirSum(ttft: Double, tpot: Double, expected: Double) throws {
        let parameters: ConfigurationValue = [
            "ttftWeight": .init(floatLiteral: ttft), "tpotWeight": .init(floatLiteral: tpot),
        ]
        let result = try scored([.headroom(0, 10), .headroom(10, 0)], parameters)
        #expect(near([result[0]], [expected]))
    }

    @Test func whateverIsPredictedDoesNotTrap() throws {
        let odd: [Double] = [.nan, .infinity, -.infinity, .greatestFiniteMagnitude, -0.0, .leastNonzeroMagnitude]
        for ttft in odd {
            for tpot in odd {
                let predictions: [Prediction?] = [.headroom(ttft, tpot), .headroom(tpot, ttft), .headroom(1, 1), nil]
                for score in try scored(predictions) { #expect((0...1).contains(score), "\(ttft), \(tpot)") }
            }
        }
    }

    @Test func onlyTheCandidatesLeftAreCompared() throws {
        let scene = try LatencyScene(LatencyScorer.self)
        var candidates = Candidates.sample(count: 3)
        candidates.keep { $0.slot != 0 }
        let context = scene.context([.headroom(1, 1), .headroom(-10, -1), .headroom(-20, -1)])
        #expect(near(scores(scene.plugin, candidates, context: context), [1, 0.01]))
    }

    // MARK: Without predictions

    private let reports: [EndpointMetrics] = [
        EndpointMetrics(waitingQueueSize: 0, kvCacheUsage: 0.5),
        EndpointMetrics(waitingQueueSize: 4, kvCacheUsage: 0.25),
        EndpointMetrics(waitingQueueSize: 2, kvCacheUsage: 1),
    ]

    @Test(
        arguments: [
            // Thirds of the free cache, the queue and the prefix of four blocks.
            (nil, [0.75, 0.25, 0.33]),
            (["compositeKVWeight": 0, "compositeQueueWeight": 0], [0.75, 0, 0.5]),
            (["compositeKVWeight": 0, "compositePrefixWeight": 0], [1, 0, 0.5]),
            (["compositeQueueWeight": 0, "compositePrefixWeight": 0], [0.5, 0.75, 0]),
            // No weight at all: the cache alone.
            (["compositeKVWeight": 0, "compositeQueueWeight": 0, "compositePrefixWeight": 0], [0.5, 0.75, 0]),
            (["compositeKVWeight": 2, "compositePrefixWeight": 1], [0.69, 0.38, 0.25]),
        ] as [(ConfigurationValue?, [Double])])
    func reportsStandIn(parameters: ConfigurationValue?, expected: [Double]) throws {
        let scene = try LatencyScene(LatencyScorer.self, parameters)
        let candidates = Candidates.sample(reports)
        for nobody in [nil, [], [nil, nil, nil]] as [[Prediction?]?] {
            let context = scene.context(nobody, matched: [3, 0, 2])
            #expect(near(scores(scene.plugin, candidates, context: context), expected))
        }
    }

    @Test func withoutQueuesAndPrefixes() throws {
        let scene = try LatencyScene(LatencyScorer.self)
        let idle = scores(scene.plugin, .sample(count: 2), context: scene.context(nil))
        #expect(near(idle, [0.67, 0.67]))
        let noBlocks = scores(scene.plugin, .sample(count: 1), context: scene.context(nil, matched: [], blocks: 0))
        #expect(near(noBlocks, [0.67]))
    }

    @Test func aPredictionForSomebodyElseIsNone() throws {
        let scene = try LatencyScene(LatencyScorer.self)
        var candidates = Candidates.sample(reports)
        candidates.keep { $0.slot == 0 }
        let context = scene.context([nil, .headroom(1, 1), nil], matched: [3, 0, 2])
        // Half of the cache is free, nobody else waits, three of four blocks are there.
        #expect(near(scores(scene.plugin, candidates, context: context), [0.75]))
    }

    @Test(
        arguments: [
            (["headroomSelectionStrategy": "weighted"], "\"weighted\" is not one of least, most"),
            (["ttftWeight": -1], "-1 is not in 0.0 to 1000000.0"),
            (["compositeKVWeight": -0.5], "-0.5 is not in 0.0 to 1000000.0"),
        ] as [(ConfigurationValue, String)])
    func badParameters(parameters: ConfigurationValue, message: String) {
        #expect(failure(LatencyScorer.self, parameters)?.contains(message) == true)
    }

    private func near(_ left: [Double], _ right: [Double]) -> Bool {
        left.count == right.count && zip(left, right).allSatisfy { abs($0 - $1) < 1e-9 }
    }
}
