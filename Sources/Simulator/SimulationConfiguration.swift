package import DataLayer
package import ModelServerSimulator

/// A world to run a gateway in, and the seed from which everything random in it follows.
package struct SimulationConfiguration: Sendable {
    /// The seed of the workload and of the gateway's choices.
    package var seed: UInt64
    /// Model servers of the pool, at least 1.
    package var endpoints = 3
    /// What each of them can do.
    package var engine = EngineParameters.midRangeAccelerator
    /// Who sends what.
    package var workload = PrefixWorkload()
    /// What goes wrong, in any order.
    package var faults: [TimedFault] = []
    /// The priorities of the traffic's objectives, by name.
    package var priorities: [String: Int] = [:]
    /// The share of scrapes that are lost on their way, 0 ... 1.
    package var lostScrapes = 0.0
    /// How long the answer to a scrape takes at most: each takes up to this long.
    package var scrapeDelay = Duration.zero
    /// When the gateway begins to shut down, if it does: whoever waits is refused then, and whoever comes.
    package var shutDownAt: Duration?
    /// What is broken on purpose, to see that it is found.
    package var breakage: Breakage?
    /// How the gateway asks servers for their metrics; only the intervals and the mappings count.
    package var scrape = ScrapeConfiguration()
    /// When the gateway ejects endpoints.
    package var ejection = EjectionConfiguration()
    /// The virtual time after which a run that has not ended has failed.
    package var timeLimit = Duration.seconds(900)

    /// A healthy pool of three servers with the default workload.
    package init(seed: UInt64) {
        self.seed = seed
    }
}

extension EngineParameters {
    /// One accelerator of the middle class with 24 GB and an eight-billion-parameter model in eight-bit weights: a
    /// prefill of 12,000 tokens a second, 12 ms a step for one sequence and 0.1 ms more for each further one, and room
    /// for 65,520 tokens in the KV cache.
    package static var midRangeAccelerator: EngineParameters {
        var parameters = EngineParameters()
        parameters.prefillTokensPerSecond = 12_000
        parameters.interTokenLatency = .milliseconds(12)
        parameters.interTokenLatencyPerSequence = .microseconds(100)
        parameters.maxRunningSequences = 64
        parameters.blockSizeTokens = 16
        parameters.blockCount = 4_096
        return parameters
    }
}

/// A fault that a gateway might have, put into a simulation to see that its checks find it.
package enum Breakage: Hashable, Sendable {
    /// Now and then a request that ends does not give back what it holds.
    case losesRelease
    /// Now and then a request whose turn has come goes on twice.
    case answersTwice
}

/// Something that happens to an endpoint. Endpoints count from 0.
package enum SimulatedFault: Hashable, Sendable {
    /// Its server ends without a warning: connections break, new ones are refused, the cache is gone.
    case kill(Int)
    /// A new server listens there. Nothing happens when one does.
    case start(Int)
    /// The source of endpoints no longer lists it; its server goes on.
    case leave(Int)
    /// The source lists it again.
    case join(Int)
    /// Its server's steps last this many times as long as usual from now on.
    case slow(Int, factor: Double)
}

/// A fault and when it happens.
package struct TimedFault: Hashable, Sendable {
    /// The time from the beginning of the run.
    package var at: Duration
    /// What happens.
    package var fault: SimulatedFault

    /// Makes a plan entry.
    package init(at: Duration, _ fault: SimulatedFault) {
        self.at = at
        self.fault = fault
    }
}
