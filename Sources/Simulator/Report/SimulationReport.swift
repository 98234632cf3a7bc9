package import GatewayCore

/// One request's way through a run.
package struct RequestRecord: Hashable, Sendable {
    /// How a request ended for its client.
    package enum Ending: Hashable, Sendable {
        /// With a whole answer.
        case completed
        /// With an error of this status, from an endpoint or from the gateway.
        case refused(status: Int)
        /// In the middle of an answer.
        case brokenOff
        /// The client went away first.
        case clientLeft
    }

    /// One try at one endpoint.
    package struct Attempt: Hashable, Sendable {
        /// The endpoint's number.
        package let endpoint: Int
        /// When it began.
        package let startedAt: MonotonicInstant
        /// Whether a server took the request in; `false` when nobody listened or the server refused it.
        package internal(set) var wasAccepted = false
    }

    /// The client's number.
    package let client: Int
    /// The request's number among its client's, from 0.
    package let sequence: Int
    /// The shared prefix.
    package let prefix: Int
    /// The name of its objective; empty for none.
    package let objective: String
    /// The flow that it belongs to; empty for none.
    package let fairnessID: String
    /// When the client sent it.
    package let sentAt: MonotonicInstant
    /// The tries, in order.
    package internal(set) var attempts: [Attempt] = []
    /// When the client had its first token; `nil` when it had none.
    package internal(set) var firstTokenAt: MonotonicInstant?
    /// When it ended.
    package internal(set) var endedAt: MonotonicInstant
    /// How it ended.
    package internal(set) var ending = Ending.completed
    /// Prompt tokens that the server found in its cache, when the answer came whole.
    package internal(set) var cachedTokens = 0
    /// Prompt tokens, when the answer came whole.
    package internal(set) var promptTokens = 0
    /// Generated tokens, when the answer came whole.
    package internal(set) var outputTokens = 0

    /// The time from sending to the first token; `nil` when none came.
    package var timeToFirstToken: Duration? {
        firstTokenAt.map { $0.since(sentAt) }
    }
}

/// What came of a run.
package struct SimulationReport: Sendable {
    /// Every request, in the order in which they ended.
    package internal(set) var requests: [RequestRecord] = []
    /// What the servers at each endpoint counted.
    package internal(set) var engines: [EngineSums] = []
    /// The virtual time of the last step, from the beginning.
    package internal(set) var duration = Duration.zero
    /// Steps taken.
    package internal(set) var steps = 0
    /// Stands for all that happened, in order.
    package internal(set) var trace = TraceHash()
    /// The gateway's metrics page at the end.
    package internal(set) var metricsPage = ""

    /// The engines' sums, all together.
    package var pool: EngineSums {
        engines.reduce(EngineSums(), +)
    }

    /// The mean time to first token in seconds; NaN when no request had one.
    package var meanTimeToFirstToken: Double {
        let times = timesToFirstToken
        return times.reduce(0, +) / Double(times.count)
    }

    /// The time to first token in seconds that `share` of the requests with a token did not exceed (nearest rank).
    package func timeToFirstToken(quantile share: Double) -> Double {
        let times = timesToFirstToken.sorted()
        guard !times.isEmpty else { return .nan }
        let rank = (share * Double(times.count)).rounded(.up)
        return times[min(max(Int(rank) - 1, 0), times.count - 1)]
    }

    /// How many requests ended so.
    package func count(_ ending: RequestRecord.Ending) -> Int {
        requests.count { $0.ending == ending }
    }

    private var timesToFirstToken: [Double] {
        requests.compactMap { $0.timeToFirstToken.map { Double($0.wholeNanoseconds) / 1e9 } }
    }
}

/// Something that must hold in every run and did not: a fault of the gateway, or of the simulation.
package struct InvariantViolation: Error, Hashable, CustomStringConvertible {
    /// The run's seed.
    package let seed: UInt64
    /// When.
    package let time: MonotonicInstant
    /// After how many steps.
    package let step: Int
    /// A sentence that says what does not hold, with the numbers.
    package let what: String

    package var description: String {
        "seed \(seed), step \(step) at \(time): \(what)"
    }
}
