import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

@Suite struct SLOHeadroomTierFilterTests {
    private func kept(
        _ predictions: [LatencyPredictions.Prediction?]?,
        count: Int? = nil,
        epsilon: Double = 0,
        seed: UInt64 = 1
    ) throws -> [Int] {
        let parameters: ConfigurationValue = ["epsilonExploreNeg": .init(floatLiteral: epsilon)]
        let scene = try LatencyScene(SLOHeadroomTierFilter.self, parameters)
        var candidates = Candidates.sample(count: count ?? predictions?.count ?? 0)
        var context = scene.context(predictions, seed: seed)
        scene.plugin.filter(&candidates, context: &context)
        return candidates.positions
    }

    @Test(
        arguments: [
            ([.headroom(1, 1), .headroom(-1, 1), .headroom(1, -1), .headroom(0, 0)], [0, 3]),
            // Without a prediction there is no headroom; without any, all stay.
            ([.headroom(1, 1), nil], [0]),
            ([.headroom(-1, -1), nil], [0, 1]),
            ([nil, nil], [0, 1]),
            // One tier only.
            ([.headroom(1, 1), .headroom(2, 2)], [0, 1]),
            ([.headroom(-1, 1), .headroom(-2, 2)], [0, 1]),
            // One candidate.
            ([.headroom(-1, -1)], [0]),
            ([], []),
            ([.headroom(.nan, 1), .headroom(1, .infinity)], [1]),
        ] as [([LatencyPredictions.Prediction?], [Int])])
    func headroomStays(predictions: [LatencyPredictions.Prediction?], expected: [Int]) throws {
        #expect(try kept(predictions) == expected)
    }

    @Test func withoutAProducerAllStay() throws {
        #expect(try kept(nil, count: 3) == [0, 1, 2])
    }

    @Test func aShareOfTheRequestsExplores() throws {
        let predictions: [LatencyPredictions.Prediction?] = [.headroom(1, 1), .headroom(-1, 1), nil]
        #expect(try kept(predictions, epsilon: 1) == [1, 2])
        let exploring = try (0..<1_000).count { seed in
            try kept(predictions, epsilon: 0.2, seed: UInt64(seed)) == [1, 2]
        }
        #expect((150...250).contains(exploring), "\(exploring) of 1,000 at a probability of 0.2")
    }

    @Test func epsilonIsAProbability() {
        let message = failure(SLOHeadroomTierFilter.self, ["epsilonExploreNeg": 1.5])
        #expect(message?.contains("1.5 is not in 0.0 to 1.0") == true)
    }
}

@Suite struct LatencySLOAdmitterTests {
    private static let objective = [("x-llm-d-slo-ttft-ms", "100")]
    /// An endpoint that is neither idle nor cold.
    private static let busy = EndpointMetrics(runningRequests: 1, kvCacheUsage: 0.02)

    private func refusal(
        _ predictions: [LatencyPredictions.Prediction?]?,
        metrics: [EndpointMetrics] = [busy, busy],
        priority: Int = -1,
        headers: [(String, String)] = objective
    ) throws -> Rejection? {
        let scene = try LatencyScene(LatencySLOAdmitter.self)
        var context = scene.context(predictions, priority: priority, headers: headers)
        do throws(Rejection) {
            try scene.plugin.admit(.sample(metrics), context: &context)
            return nil
        } catch {
            return error
        }
    }

    private let hopeless: [LatencyPredictions.Prediction?] = [.headroom(-1, 1), .headroom(1, -1)]

    @Test func whatNobodyKeepsIsRefused() throws {
        #expect(try refusal(hopeless)?.reason == .saturated)
        #expect(try refusal([.headroom(-1, -1), nil])?.reason == .saturated)
        let perToken = [("x-slo-tpot-ms", "0.5")]
        #expect(try refusal(hopeless, headers: perToken)?.reason == .saturated)
    }

    @Test(arguments: [0, 1])
    func onlyNegativePrioritiesAreRefused(priority: Int) throws {
        #expect(try refusal(hopeless, priority: priority) == nil)
    }

    @Test func whoeverKeepsItOpensTheDoor() throws {
        #expect(try refusal([.headroom(-1, 1), .headroom(1, 1)]) == nil)
        let idle = EndpointMetrics(runningRequests: 0, kvCacheUsage: 0.5)
        #expect(try refusal(hopeless, metrics: [Self.busy, idle]) == nil)
        let cold = EndpointMetrics(runningRequests: 9, kvCacheUsage: 0.019)
        #expect(try refusal(hopeless, metrics: [cold, Self.busy]) == nil)
    }

    @Test func withoutPredictionsNobodyIsRefused() throws {
        #expect(try refusal(nil) == nil)
        #expect(try refusal([nil, nil]) == nil)
    }

    @Test(
        arguments: [
            [], [("x-llm-d-slo-ttft-ms", "")], [("x-llm-d-slo-ttft-ms", "soon")], [("x-llm-d-slo-ttft-ms", "0")],
            [("x-llm-d-slo-ttft-ms", "-5")], [("x-llm-d-slo-ttft-ms", "nan")], [("x-llm-d-slo-ttft-ms", "inf")],
            // The present name goes before its older one, also when it is empty.
            [("x-slo-ttft-ms", "100"), ("x-llm-d-slo-ttft-ms", "")],
        ] as [[(String, String)]])
    func withoutAnObjectiveNobodyIsRefused(headers: [(String, String)]) throws {
        #expect(try refusal(hopeless, headers: headers) == nil)
    }

    @Test func objectivesAreDecimalMilliseconds() {
        let headers = HeaderMap([
            .init(name: "X-LLM-D-SLO-TTFT-MS", value: "1.5e2"), .init(name: "x-slo-tpot-ms", value: "12.25"),
        ])
        let objective = LatencyObjective(headers)
        #expect(objective.ttft == 150 && objective.tpot == 12.25 && objective.isSet)
    }
}
