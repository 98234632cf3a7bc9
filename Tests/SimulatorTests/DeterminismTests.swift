import Simulator
import Testing

@Suite struct DeterminismTests {
    /// A short run in which everything that can happen does.
    private func configuration(seed: UInt64) -> SimulationConfiguration {
        var configuration = SimulationConfiguration(seed: seed)
        configuration.workload.requestsPerClient = 6
        configuration.workload.prefixTokens = 600
        configuration.workload.departures = 0.1
        configuration.faults = [
            TimedFault(at: .milliseconds(900), .kill(0)),
            TimedFault(at: .milliseconds(1_500), .leave(2)),
            TimedFault(at: .milliseconds(1_900), .join(2)),
            TimedFault(at: .milliseconds(2_500), .start(0)),
            TimedFault(at: .milliseconds(3_000), .slow(1, factor: 4)),
        ]
        return configuration
    }

    @Test func equalSeedsGiveEqualRuns() throws {
        let first = try GatewaySimulation(configuration(seed: 7)).run()
        let second = try GatewaySimulation(configuration(seed: 7)).run()
        #expect(first.trace == second.trace)
        #expect(first.requests == second.requests)
        #expect(first.engines == second.engines)
        #expect(first.metricsPage == second.metricsPage)
        #expect(first.steps > 1_000)
    }

    @Test func otherSeedsGiveOtherRuns() throws {
        let traces = try (1...4).map { try GatewaySimulation(configuration(seed: $0)).run().trace }
        #expect(Set(traces).count == 4)
    }

    /// A comparison of policies is one of equal work: who asks what does not depend on who answers.
    @Test func anotherPolicyServesTheSameRequests() throws {
        func asked(_ report: SimulationReport) -> Set<[Int]> {
            Set(report.requests.map { [$0.client, $0.sequence, $0.prefix] })
        }
        let configuration = configuration(seed: 9)
        let report = try GatewaySimulation(configuration).run()
        let inTurn = try GatewaySimulation.roundRobin(configuration).run()
        #expect(asked(report) == asked(inTurn))
        #expect(report.trace != inTurn.trace)
    }
}
