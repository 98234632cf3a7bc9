import ModelServerSimulator
import Simulator
import Testing

/// What the built-in default pipeline gains over endpoints in turn, on the same servers with the same requests: 24
/// clients in a closed loop, 288 requests, eight shared prefixes of 4,000 tokens (2,000 blocks of 16).
@Suite struct PrefixRoutingTests {
    /// Blocks of a KV cache that holds all prefixes, and as many again for what runs.
    private static let ample = 4_096
    /// Blocks that hold the prefixes and nothing else.
    private static let full = 2_048
    /// Blocks that hold half of the prefixes, and what runs.
    private static let half = 1_280

    private func configuration(seed: UInt64, blocks: Int) -> SimulationConfiguration {
        var configuration = SimulationConfiguration(seed: seed)
        configuration.engine.blockCount = blocks
        configuration.workload.requestsPerClient = 12
        return configuration
    }

    /// The prompt tokens that engines found in their caches, as a share of what any policy could reach at best: each
    /// prefix computed once in the whole pool and found ever after.
    private func hitShare(_ report: SimulationReport, _ configuration: SimulationConfiguration) -> Double {
        let best = configuration.workload.bestHitTokens(
            requests: report.pool.finished,
            blockSize: configuration.engine.blockSizeTokens
        )
        return Double(report.pool.hitTokens) / Double(best)
    }

    /// With less cache per server than the prefixes and the running requests need, endpoints in turn make every server
    /// compute prefixes again and again; kept apart by prefix, the caches of the pool add up.
    @Test(arguments: [1, 2, 3] as [UInt64], [full, half])
    func cachesOfThePoolAddUp(seed: UInt64, blocks: Int) throws {
        let configuration = configuration(seed: seed, blocks: blocks)
        let report = try GatewaySimulation(configuration).run()
        let inTurn = try GatewaySimulation.roundRobin(configuration).run()
        #expect(report.count(.completed) == configuration.workload.requestCount)
        #expect(inTurn.count(.completed) == configuration.workload.requestCount)
        #expect(hitShare(report, configuration) >= 0.85)
        #expect(report.meanTimeToFirstToken <= 0.6 * inTurn.meanTimeToFirstToken)
        // It must not be had by leaving servers idle.
        #expect(report.engines.allSatisfy { $0.finished >= configuration.workload.requestCount / 9 })
    }

    /// Where every server holds every prefix, only the first computation of a prefix differs: 8 in place of 24. That
    /// bounds the gain, and it shrinks with the length of the run.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func withRoomForEverythingOnlyTheColdStartDiffers(seed: UInt64) throws {
        let configuration = configuration(seed: seed, blocks: Self.ample)
        let report = try GatewaySimulation(configuration).run()
        let inTurn = try GatewaySimulation.roundRobin(configuration).run()
        #expect(hitShare(report, configuration) >= 0.85)
        #expect(hitShare(report, configuration) > hitShare(inTurn, configuration))
        #expect(report.meanTimeToFirstToken <= 0.8 * inTurn.meanTimeToFirstToken)
        // Once warm, both find nearly all: the median request waits for the step under way, its own suffix, and a step.
        let warm = 0.045
        #expect(report.timeToFirstToken(quantile: 0.5) < warm)
        #expect(inTurn.timeToFirstToken(quantile: 0.5) < warm)
    }

    /// What the gateway says of cached tokens is what the engines say.
    @Test func theGatewayReportsTheEnginesUsage() throws {
        let configuration = configuration(seed: 4, blocks: Self.ample)
        let report = try GatewaySimulation(configuration).run()
        #expect(report.requests.reduce(0) { $0 + $1.cachedTokens } == report.pool.hitTokens)
        #expect(report.metric("request_cached_tokens_sum") == Double(report.pool.hitTokens))
        #expect(report.metric("_request_total") == Double(configuration.workload.requestCount))
        #expect(report.pool.preemptions == 0)
    }
}

extension SimulationReport {
    /// The sum of the series of the gateway's metric whose name ends in `suffix`; `nil` when there is none.
    func metric(_ suffix: String) -> Double? {
        let values = metricsPage.split(separator: "\n").compactMap { line -> Double? in
            guard !line.hasPrefix("#"), let space = line.lastIndex(of: " ") else { return nil }
            let name = line[..<space].prefix { $0 != "{" }
            return name.hasSuffix(suffix) ? Double(line[line.index(after: space)...]) : nil
        }
        return values.isEmpty ? nil : values.reduce(0, +)
    }
}
