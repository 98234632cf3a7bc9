import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

@Suite struct ProbabilisticAdmitterTests {
    private func context(priority: Int, seed: UInt64 = 1) -> SchedulingContext {
        .sample(InferenceRequest(id: "r", model: "m", priority: priority), seed: seed)
    }

    /// How many of 1,000 requests are refused.
    private func refusals(_ admitter: ProbabilisticAdmitter, _ candidates: Candidates, priority: Int = -1) -> Int {
        (0..<1_000).count { seed in
            var context = context(priority: priority, seed: UInt64(seed))
            do throws(Rejection) {
                try admitter.admit(candidates, context: &context)
                return false
            } catch {
                return error.reason == .saturated
            }
        }
    }

    @Test(
        arguments: [
            // queue, KV cache, expected: 300 * s^5 with s = max(queue/5, cache/0.8)
            ([(0, 0.0)], 0.0),
            ([(1, 0)], 0.096),
            ([(0, 0.16)], 0.096),
            ([(1, 0), (0, 0)], 0.003),
            ([(2, 0)], 1),
            ([(.max, 0)], 1),
            ([(.min, -1)], 0), ([(1, .nan)], 0.096), ([(1, .infinity)], 0.096),
            ([], 0),
        ] as [([(Int, Double)], Double)])
    func theProbabilityRisesWithTheLoad(reports: [(Int, Double)], expected: Double) throws {
        let candidates = Candidates.sample(
            reports.map { EndpointMetrics(waitingQueueSize: $0.0, kvCacheUsage: $0.1) }
        )
        #expect(abs(try make(ProbabilisticAdmitter.self).refusalProbability(candidates) - expected) < 1e-12)
    }

    @Test(arguments: [
        // power, s, s^power
        (1.0, 0.4, 0.4), (2, 0.4, 0.16), (0.5, 0.25, 0.5), (1.5, 0.25, 0.125), (2.25, 0.0625, 0.001953125),
        (0.1, 0.5, 0.9330329915368074), (1_000, 0.5, 9.332636185032189e-302), (3, 0, 0), (0.5, 1, 1),
    ])
    func anyPowerIsTaken(power: Double, saturation: Double, expected: Double) throws {
        let admitter = try make(ProbabilisticAdmitter.self, ["power": .init(floatLiteral: power), "k": 1])
        let candidates = Candidates.sample([EndpointMetrics(kvCacheUsage: saturation * 0.8)])
        let probability = admitter.refusalProbability(candidates)
        #expect(abs(probability - expected) <= 1e-12 * expected)
    }

    @Test func negativePrioritiesAreRefusedByChance() throws {
        let admitter = try make(ProbabilisticAdmitter.self)
        let low = Candidates.sample([EndpointMetrics(waitingQueueSize: 1)])
        let refused = refusals(admitter, low)
        #expect((60...140).contains(refused), "\(refused) of 1,000 at a probability of 0.096")
        #expect(refusals(admitter, .sample([EndpointMetrics(waitingQueueSize: 5)])) == 1_000)
        #expect(refusals(admitter, .sample(count: 3)) == 0)
    }

    @Test(arguments: [0, 1, .max])
    func othersAreAdmitted(priority: Int) throws {
        let admitter = try make(ProbabilisticAdmitter.self)
        #expect(refusals(admitter, .sample([EndpointMetrics(waitingQueueSize: 99)]), priority: priority) == 0)
    }

    @Test(
        arguments: [
            (["queueDepthThreshold": 0], "0 is not at least 1"),
            (["kvCacheUtilThreshold": 0], "0.0 is not above 0"),
            (["power": 0], "0.0 is not above 0 and at most 1000.0"),
            (["power": 1001], "1001.0 is not above 0 and at most 1000.0"),
            (["k": -3], "-3.0 is not above 0"),
        ] as [(ConfigurationValue, String)])
    func badParameters(parameters: ConfigurationValue, message: String) {
        #expect(failure(ProbabilisticAdmitter.self, parameters)?.contains(message) == true)
    }
}
