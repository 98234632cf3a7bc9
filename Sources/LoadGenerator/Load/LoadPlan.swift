package import GatewayCore

/// How much load there is, and for how long.
package struct LoadPlan: Sendable {
    /// What makes the next conversation begin.
    package enum Mode: Hashable, Sendable {
        /// Time does: an open loop, in which a slow server gets no less to do.
        case open(ArrivalProcess)
        /// The end of another does: a closed loop of so many users, who begin within the ramp.
        case closed(users: Int, rampSeconds: Double)
        /// The times of a trace do, each divided by the speed.
        case replay(speed: Double)
    }

    /// What comes before the measurement.
    package enum WarmUp: Hashable, Sendable, CustomStringConvertible {
        /// Nothing.
        case none
        /// What is scheduled in the first so many seconds.
        case seconds(Double)
        /// The first so many conversations.
        case conversations(Int)

        package var description: String {
            switch self {
            case .none: "none"
            case .seconds(let seconds): "\(seconds)s"
            case .conversations(let count): "\(count) conversations"
            }
        }
    }

    /// The longest time that something may be due after the start, in seconds: a century.
    package static let secondsMax = 3_000_000_000.0

    /// What makes the next conversation begin.
    package var mode: Mode
    /// How many conversations there are; `nil` for as many as begin within ``seconds``.
    package var conversations: Int?
    /// How long conversations begin, in seconds from the start; `nil` until there were as many as there should be.
    package var seconds: Double?
    /// What comes before the measurement, and does not count.
    package var warmUp = WarmUp.none
    /// The most conversations under way at once, each with one request at a time; what is due beyond waits, and its
    /// latency counts from when it was due.
    package var inFlightMax = 10_000
    /// How long a user of a conversation thinks before the next turn, and a user of a closed loop before the next
    /// conversation; in seconds.
    package var thinkSeconds = 0.0
    /// How long an answer may take, in seconds from its sending.
    package var timeoutSeconds = 600.0
    /// The number of the first conversation, so that the parts of a run ask different things.
    package var firstConversation = 0
    /// What the times of an open loop come from.
    package var seed: UInt64 = 0
    /// What a request must keep to count for goodput.
    package var objectives: LatencyObjectives?

    /// A plan with the defaults.
    package init(mode: Mode) {
        self.mode = mode
    }
}

/// Where the load goes.
package struct LoadTarget: Sendable {
    /// The host and port.
    package let address: EndpointAddress
    /// The path with its query.
    package let path: String
    /// Whether the server's certificate must be valid and carry its name.
    package var verifiesCertificate = true
    /// A file of PEM certificates that the server's is verified against; `nil` for the system's.
    package var caCertificatePath: String?

    /// A target whose certificate is verified.
    package init(address: EndpointAddress, path: String) {
        self.address = address
        self.path = path
    }
}
