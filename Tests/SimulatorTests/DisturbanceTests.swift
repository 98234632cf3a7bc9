import GatewayCore
import ModelServerSimulator
import Simulator
import Testing

/// Random worlds: what no scenario thought of. A failure names its seed, and the seed repeats it.
@Suite struct DisturbanceTests {
    @Test(arguments: 1...32 as ClosedRange<UInt64>)
    func noRequestIsLostWhateverHappens(seed: UInt64) throws {
        let configuration = Self.world(seed: seed)
        let report = try GatewaySimulation(configuration).run()
        #expect(report.requests.count == configuration.workload.requestCount)
        #expect(report.metric("lease_leaks_total") == 0)
        #expect(report.requests.allSatisfy { $0.attempts.count <= 3 }, "one attempt and two retries")
        for request in report.requests where request.ending == .brokenOff {
            #expect(request.firstTokenAt != nil, "a request without a first token is retried or refused")
        }
        #expect(report.pool.finished == report.count(.completed))
    }

    /// Two to six servers with little memory, clients that leave, and a fault every few hundred milliseconds.
    private static func world(seed: UInt64) -> SimulationConfiguration {
        var random = RandomSource(seed: seed)
        var configuration = SimulationConfiguration(seed: seed)
        configuration.endpoints = Int.random(in: 2...6, using: &random)
        configuration.engine.blockCount = Int.random(in: 160...800, using: &random)
        configuration.engine.maxRunningSequences = Int.random(in: 2...16, using: &random)
        if Bool.random(using: &random) {
            configuration.engine.maxQueuedRequests = Int.random(in: 3...12, using: &random)
        }
        configuration.workload.clients = Int.random(in: 4...40, using: &random)
        configuration.workload.requestsPerClient = 6
        configuration.workload.prefixes = Int.random(in: 1...10, using: &random)
        configuration.workload.prefixTokens = Int.random(in: 16...1_000, using: &random)
        configuration.workload.outputTokens = 1...40
        configuration.workload.departures = random.unit() * 0.3
        var milliseconds = 0
        for _ in 0..<24 {
            milliseconds += Int.random(in: 0...400, using: &random)
            let endpoint = Int.random(in: 0..<configuration.endpoints, using: &random)
            let fault: SimulatedFault =
                switch Int.random(in: 0..<7, using: &random) {
                case 0, 1: .kill(endpoint)
                case 2, 3: .start(endpoint)
                case 4: .leave(endpoint)
                case 5: .join(endpoint)
                default: .slow(endpoint, factor: 0.5 + 10 * random.unit())
                }
            configuration.faults.append(TimedFault(at: .milliseconds(milliseconds), fault))
        }
        return configuration
    }
}
