import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

@Suite struct ScorerTests {
    @Test(arguments: [
        ([0], [1.0]),
        ([7], [1]),
        ([3, 3, 3], [1, 1, 1]),
        ([0, 10], [1, 0]),
        ([10, 0, 5], [0, 1, 0.5]),
        ([2, 6, 4, 3], [1, 0, 0.5, 0.75]),
        ([0, Int.max], [1, 0]),
        ([Int.min, Int.max], [1, 0]),
    ])
    func shorterQueuesScoreHigher(values: [Int], expected: [Double]) throws {
        let queue = try make(QueueScorer.self)
        let running = try make(RunningRequestsScorer.self)
        #expect(scores(queue, .sample(values.map { EndpointMetrics(waitingQueueSize: $0) })) == expected)
        #expect(scores(running, .sample(values.map { EndpointMetrics(runningRequests: $0) })) == expected)
    }

    @Test func eachReadsItsOwnNumber() throws {
        let candidates = Candidates.sample([
            EndpointMetrics(waitingQueueSize: 1, runningRequests: 9), EndpointMetrics(waitingQueueSize: 2),
        ])
        #expect(try scores(make(QueueScorer.self), candidates) == [1, 0])
        #expect(try scores(make(RunningRequestsScorer.self), candidates) == [0, 1])
    }

    @Test func onlyTheCandidatesLeftAreCompared() throws {
        var candidates = Candidates.sample([0, 4, 8].map { EndpointMetrics(waitingQueueSize: $0) })
        candidates.keep { $0.slot != 0 }
        #expect(try scores(make(QueueScorer.self), candidates) == [1, 0])
    }

    @Test func freeCacheScoresHigher() throws {
        let candidates = Candidates.sample([0, 0.25, 1].map { EndpointMetrics(kvCacheUsage: $0) })
        #expect(try scores(make(KVCacheUtilizationScorer.self), candidates) == [1, 0.75, 0])
    }

    @Test(arguments: [
        // active, waiting, most, score
        (["m"], [], 1, 1.0),
        (["m"], ["m"], 0, 1),
        ([], [], 1, 0.8),
        (["a"], ["b"], 3, 0.8),
        // Room beats waiting.
        (["a"], ["m"], 3, 0.8),
        (["a"], ["m"], 2, 0.6),
        ([], ["m"], 0, 0.6),
        (["a"], ["b"], 2, 0),
        // Nothing told is room: a new vLLM tells nothing before its first request.
        ([], [], 0, 0.8),
        // An adapter that is both active and waited for takes one place.
        (["a"], ["a"], 2, 0.8),
        (["a", "b"], ["b", "a"], 2, 0),
    ])
    func adaptersInPlaceScoreHigher(active: [String], waiting: [String], most: Int, expected: Double) throws {
        let metrics = EndpointMetrics(activeModels: active, waitingModels: waiting, maxActiveModels: most)
        let context = SchedulingContext.sample(.sample(model: "alias", targetModel: "m"))
        #expect(try scores(make(LoRAAffinityScorer.self), .sample([metrics]), context: context) == [expected])
    }
}
