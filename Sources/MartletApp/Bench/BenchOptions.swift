package import LoadGenerator

/// What `martlet bench` was told on its command line.
package struct BenchOptions: Sendable {
    /// How the arrivals of an open loop are spaced.
    package enum Arrival: String, Sendable, CaseIterable {
        /// At random, as independent users come.
        case poisson
        /// By equal times.
        case constant
        /// In bursts or smoothly, by ``burstiness``.
        case gamma
    }

    /// Where the load goes, as `[LABEL=]URL`.
    package var target = "http://127.0.0.1:8080"
    /// Two targets to compare, as `[LABEL=]URL`; empty for one target.
    package var compare: [String] = []
    /// How many pairs of blocks a comparison has.
    package var blocks = 10
    /// The API.
    package var api = Workload.API.chat
    /// The path, when it is not the API's.
    package var path: String?
    /// Models as `NAME[=WEIGHT]`; empty for the first that the target lists.
    package var models: [String] = []
    /// Conversations per second of an open loop.
    package var rate: Double?
    /// How the arrivals of an open loop are spaced.
    package var arrival = Arrival.poisson
    /// The shape of gamma arrivals.
    package var burstiness: Double?
    /// Users of a closed loop.
    package var concurrency: Int?
    /// How long a user waits before the next request.
    package var thinkTime = "0s"
    /// How long the load takes to grow.
    package var ramp = "0s"
    /// How many requests are sent.
    package var requests: Int?
    /// How long requests are sent.
    package var duration: String?
    /// What comes before the measurement: a duration or a number of requests.
    package var warmUp: String?
    /// The most requests under way at once in an open loop.
    package var maxConcurrency = 10_000
    /// How long an answer may take.
    package var timeout = "10m"
    /// `concurrency=…` or `rate=…` with values that are run one after the other.
    package var sweep: String?
    /// The tokens of prompts.
    package var promptTokens = "512"
    /// The tokens of answers.
    package var outputTokens = "128"
    /// How many shared prefixes there are.
    package var prefixGroups = 0
    /// The tokens of a shared prefix.
    package var prefixTokens = 0
    /// The turns of a conversation.
    package var turns = 1
    /// Whether answers are streamed.
    package var streams = true
    /// Whether engines are asked to ignore ends of text.
    package var ignoresEndOfText = true
    /// A JSON object whose members are added to each body.
    package var extraBody: String?
    /// Header fields as `NAME:VALUE`.
    package var headers: [String] = []
    /// Objectives as `NAME[=WEIGHT]`.
    package var objectives: [String] = []
    /// Fairness ids as `NAME[=WEIGHT]`.
    package var fairnessIDs: [String] = []
    /// A file of recorded requests.
    package var tracePath: String?
    /// How many times faster than recorded a trace is replayed.
    package var traceSpeed = 1.0
    /// What random choices come from.
    package var seed: UInt64 = 0
    /// What a request must keep to count for goodput.
    package var objectivesOfLatency: String?
    /// Conditions that fail the command.
    package var failIf: [String] = []
    /// Event loops.
    package var threads: Int?
    /// A file for the results as JSON.
    package var jsonPath: String?
    /// A file for the results as a page.
    package var htmlPath: String?
    /// A bearer token for the target; `nil` for that of `OPENAI_API_KEY`, if there is one.
    package var apiKey: String?
    /// Whether the target's certificate is not checked.
    package var isInsecure = false
    /// A file of certificates that the target's is checked against.
    package var caPath: String?
    /// Whether no progress is shown on a terminal.
    package var isQuiet = false
    /// The arguments as they were given, for the reports.
    package var arguments: [String] = []

    /// The defaults.
    package init() {}

    /// Arguments for the reports, without what may be secret: the key, the values of header fields, queries of URLs.
    package static func shown(_ arguments: [String]) -> [String] {
        var option = ""
        return arguments.map { argument -> String in
            let equals = argument.hasPrefix("--") ? argument.firstIndex(of: "=") : nil
            let name = equals.map { String(argument[..<$0]) } ?? option
            option = argument
            let value = equals.map { argument.index(after: $0) } ?? argument.startIndex
            let end: String.Index? =
                switch name {
                case "--api-key": value
                case "--header": argument[value...].firstIndex(of: ":").map { argument.index(after: $0) }
                default:
                    argument[value...].contains("://") || name == "--path"
                        ? argument[value...].firstIndex(of: "?").map { argument.index(after: $0) } : nil
                }
            return end.map { String(argument[..<$0]) + "…" } ?? argument
        }
    }
}

/// What `martlet bench` has to say at its end.
package struct BenchOutcome: Sendable {
    /// The exit status of a run with a threshold that was missed.
    package static let missedStatus: Int32 = 2
    /// The exit status of a run that a signal ended.
    package static let interruptedStatus: Int32 = 130

    /// The tables.
    package let text: String
    /// Why the run failed, a sentence each; empty when it did not.
    package private(set) var failures: [String]
    /// The exit status.
    package private(set) var status: Int32

    /// Makes a table and its verdict.
    init(text: String, failures: [String], status: Int32) {
        self.text = text
        self.failures = failures
        self.status = status
    }

    /// Adds a failure of the command itself.
    mutating func fail(_ failure: String) {
        failures.append(failure)
        if status == 0 { status = 1 }
    }
}
