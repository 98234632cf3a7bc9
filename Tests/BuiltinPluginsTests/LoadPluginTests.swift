import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

@Suite struct LoadScorerTests {
    @Test(
        arguments: [
            // threshold, queue, score
            (nil, 0, 0.5), (nil, 64, 0.25), (nil, 128, 0), (nil, 1_000, 0), (10, 5, 0.25), (10, 10, 0),
            (0, 64, 0.25), (-7, 64, 0.25), (nil, .min, 0.5), (nil, .max, 0), (1, -1, 0.5),
        ] as [(Int?, Int, Double)])
    func queuesBelowTheThresholdAreGraded(threshold: Int?, queue: Int, expected: Double) throws {
        let parameters: ConfigurationValue? = threshold.map { ["threshold": ConfigurationValue(.int(Int64($0)))] }
        let scorer = try make(LoadAwareScorer.self, parameters)
        // Each endpoint is graded for itself, whatever the others do.
        let candidates = Candidates.sample([queue, 3].map { EndpointMetrics(waitingQueueSize: $0) })
        #expect(scores(scorer, candidates)[0] == expected)
        #expect(scores(scorer, Candidates.sample([EndpointMetrics(waitingQueueSize: queue)])) == [expected])
    }

    @Test(
        arguments: [
            // parameters, requests of each endpoint, scores
            ([:], [0], [1]),
            ([:], [7], [0]),
            ([:], [3, 3], [0, 0]),
            ([:], [0, 5, 10], [1, 0.5, 0]),
            (["maxBusyScore": 0.5], [0, 5, 10], [1, 0.25, 0]),
            (["maxBusyScore": 0], [0, 5, 10], [1, 0, 0]),
            (["idleThreshold": 5], [0, 5, 8, 10], [1, 1, 0.2, 0]),
            (["idleThreshold": 99], [0, 5, 10], [1, 1, 1]),
            // Out of range, as llm-d takes it.
            (["idleThreshold": -1], [0, 5, 10], [1, 0.5, 0]),
            (["maxBusyScore": 1.5], [0, 5, 10], [1, 0.5, 0]),
            (["maxBusyScore": -1], [0, 5, 10], [1, 0.5, 0]),
            (["requestTimeout": "2m"], [1, 2], [0.5, 0]),
        ] as [(ConfigurationValue, [Int], [Double])])
    func fewerRequestsInFlightScoreHigher(
        parameters: ConfigurationValue,
        requests: [Int],
        expected: [Double]
    ) throws {
        let scorer = try make(ActiveRequestScorer.self, parameters)
        let candidates = Candidates(requests.enumerated().map { .loaded($0, requests: $1) })
        let found = scores(scorer, candidates)
        #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-12 } && found.count == expected.count)
    }

    @Test func whatHasNoEffectIsWarnedOf() throws {
        #expect(try warnings(ActiveRequestScorer.self, ["requestTimeout": "2m", "maxBusyScore": 2]).count == 2)
        #expect(try warnings(ActiveRequestScorer.self, ["idleThreshold": -1]).count == 1)
        #expect(try warnings(LoadAwareScorer.self, ["threshold": 0]).count == 1)
        #expect(try warnings(TokenLoadScorer.self, ["queueThresholdTokens": 0]).count == 1)
    }

    @Test(
        arguments: [
            // threshold, in flight, uncached, score
            (1_000, 0, 0, 1), (1_000, 0, 250, 0.75), (1_000, 500, 250, 0.25), (1_000, 900, 250, 0), (1_000, 0, .max, 0),
            (1_000, .max, .max, 0), (0, 2_097_152, 0, 0.5), (-1, 0, 1_048_576, 0.75), (1_000, -700, 200, 1),
        ] as [(Int, Int, Int, Double)])
    func fewerTokensScoreHigher(threshold: Int, inFlight: Int, uncached: Int, expected: Double) throws {
        var context = PluginContext(clock: SystemMonotonicClock())
        let loads = context.produce(InFlightLoads.key, as: "inflight-load-producer")
        let scorer = try make(
            TokenLoadScorer.self,
            ["queueThresholdTokens": ConfigurationValue(.int(Int64(threshold)))],
            context: &context
        )
        var request = SchedulingContext.sample(slotCount: context.slotCount)
        request.scratch[loads] = InFlightLoads(
            prompt: PromptSize(.with(inputTokens: uncached), nil), matches: nil, outputTokens: 0)
        let candidates = Candidates([.loaded(1, requests: 1, tokens: inFlight)])
        #expect(scores(scorer, candidates, context: request) == [expected])
    }

    @Test func withoutTheRequestsTokensThoseInFlightCount() throws {
        let scorer = try make(TokenLoadScorer.self, ["queueThresholdTokens": 100])
        let candidates = Candidates([.loaded(0), .loaded(1, requests: 2, tokens: 40)])
        #expect(scores(scorer, candidates, context: .sample(slotCount: 1)) == [1, 0.6])
    }

    @Test func requestsInFlightNeedNoProducer() throws {
        var context = PluginContext(clock: SystemMonotonicClock())
        let named: ConfigurationValue = ["inFlightLoadProducerName": "mine"]
        _ = try make(ActiveRequestScorer.self, named, context: &context)
        #expect(context.consumed.isEmpty)
        #expect(
            try warnings(ActiveRequestScorer.self, named)
                == ["has no effect: requests in flight are counted without a producer"])
        #expect(try warnings(ActiveRequestScorer.self, [:]).isEmpty)
    }

    @Test func theirProducerIsRequiredAndCanBeNamed() throws {
        for (parameters, key) in [
            (nil, "InFlightLoad/inflight-load-producer"),
            (["inFlightLoadProducerName": ""], "InFlightLoad/inflight-load-producer"),
            (["inFlightLoadProducerName": "mine"], "InFlightLoad/mine"),
        ] as [(ConfigurationValue?, String)] {
            var context = PluginContext(clock: SystemMonotonicClock())
            _ = try make(TokenLoadScorer.self, parameters, context: &context)
            #expect(context.consumed.map(\.key) == [key])
            #expect(context.consumed.allSatisfy { $0.requirement == .required })
        }
    }
}

@Suite struct UtilizationFilterTests {
    private func kept(_ parameters: ConfigurationValue, _ endpoints: [EndpointSnapshot]) throws -> [Int] {
        var candidates = Candidates(endpoints)
        var context = SchedulingContext.sample(slotCount: 1)
        try make(UtilizationFilter.self, parameters).filter(&candidates, context: &context)
        return candidates.positions
    }

    private func conditions(_ metric: String, _ maximum: Double) -> ConfigurationValue {
        [
            "conditions": [
                ["metric": ConfigurationValue(.string(metric)), "maxValue": ConfigurationValue(.double(maximum))]
            ]
        ]
    }

    @Test(arguments: [
        ("active-requests", 2), ("running-requests", 2), ("waiting-queue", 2), ("kv-cache-utilization", 0.5),
    ])
    func keepsWhatIsAtMostTheLimit(metric: String, limit: Double) throws {
        let endpoints: [EndpointSnapshot] = [1, 2, 3].map { count in
            let metrics = EndpointMetrics(
                waitingQueueSize: count, runningRequests: count, kvCacheUsage: Double(count) / 4
            )
            return .loaded(count, requests: count, metrics: metrics)
        }
        #expect(try kept(conditions(metric, limit), endpoints) == [0, 1])
        #expect(try kept(conditions(metric, 0), endpoints).isEmpty)
    }

    @Test func everyConditionMustHold() throws {
        let parameters: ConfigurationValue = [
            "conditions": [
                ["metric": "waiting-queue", "maxValue": 4], ["metric": "kv-cache-utilization", "maxValue": 0.8],
            ]
        ]
        let endpoints = [(4, 0.8), (5, 0.1), (0, 0.9), (0, 0)].enumerated().map { slot, load in
            EndpointSnapshot.loaded(slot, metrics: EndpointMetrics(waitingQueueSize: load.0, kvCacheUsage: load.1))
        }
        #expect(try kept(parameters, endpoints) == [0, 3])
    }

    @Test func whatWasNotToldCountsAsZero() throws {
        #expect(try kept(conditions("waiting-queue", 0), [.loaded(0, metricsUpdatedAt: nil)]) == [0])
        let odd = EndpointMetrics(waitingQueueSize: .min, runningRequests: .max, kvCacheUsage: .nan)
        #expect(try kept(conditions("kv-cache-utilization", 0), [.loaded(0, metrics: odd)]) == [0])
        #expect(try kept(conditions("waiting-queue", 0), [.loaded(0, metrics: odd)]) == [0])
        #expect(try kept(conditions("running-requests", 5), [.loaded(0, metrics: odd)]).isEmpty)
    }

    @Test func allAreKeptRatherThanNoneWhereThatIsWanted() throws {
        let busy = [EndpointSnapshot.loaded(0, requests: 3), .loaded(1, requests: 4)]
        let strict: ConfigurationValue = ["conditions": [["metric": "active-requests", "maxValue": 1]]]
        let lenient: ConfigurationValue = [
            "conditions": [["metric": "active-requests", "maxValue": 1]], "fallbackOnEmpty": true,
        ]
        #expect(try kept(strict, busy).isEmpty)
        #expect(try kept(lenient, busy) == [0, 1])
        #expect(try kept(lenient, busy + [.loaded(2)]) == [2])
        #expect(try kept(lenient, []).isEmpty)
    }

    @Test func noMetricNeedsAProducer() throws {
        for metric in ["waiting-queue", "active-requests"] {
            var context = PluginContext(clock: SystemMonotonicClock())
            let parameters: ConfigurationValue = [
                "conditions": [["metric": ConfigurationValue(.string(metric)), "maxValue": 1]],
                "inFlightLoadProducerName": "mine",
            ]
            _ = try make(UtilizationFilter.self, parameters, context: &context)
            #expect(context.consumed.isEmpty)
        }
    }

    @Test(
        arguments: [
            ([:], "required field \"conditions\" is missing"),
            (["conditions": []], "there must be at least one condition"),
            (["conditions": [["maxValue": 1]]], "required field \"metric\" is missing"),
            (["conditions": [["metric": "waiting-queue"]]], "required field \"maxValue\" is missing"),
            (["conditions": [["metric": "queue", "maxValue": 1]]], "\"queue\" is not one of active-requests"),
            (["conditions": [["metric": "waiting-queue", "maxValue": -1]]], "-1 is not in 0.0 to"),
            (["conditions": [["metric": "kv-cache-utilization", "maxValue": 80]]], "80 is not in 0.0 to 1.0"),
        ] as [(ConfigurationValue, String)])
    func refusesBadParameters(parameters: ConfigurationValue, message: String) {
        let text = failure(UtilizationFilter.self, parameters)
        #expect(text?.contains(message) == true, "\(text ?? "no error")")
    }
}
