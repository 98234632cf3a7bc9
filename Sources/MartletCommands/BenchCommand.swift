import ArgumentParser
import LoadGenerator
import MartletApp

/// `martlet bench`.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Load for anything that speaks the OpenAI API, and how long its answers take.",
        discussion: """
            With --rate requests come by the clock, whatever becomes of those before (an open loop), and latencies \
            count from when a request was due; with --concurrency so many users wait for their answers (a closed \
            loop). Without either, 8 users. A table at the end; --output-json and --output-html write reports. \
            Exit status 2 when a --fail-if holds, 1 when nothing was answered.
            """
    )

    @Argument(help: "Where the load goes, a URL.")
    var target = BenchOptions().target

    @OptionGroup(title: "Load") var load: LoadOptions
    @OptionGroup(title: "Requests") var requests: RequestOptions
    @OptionGroup(title: "Connection") var connection: ConnectionOptions
    @OptionGroup(title: "Results") var results: ResultOptions

    struct LoadOptions: ParsableArguments {
        @Option(help: "Conversations per second, in an open loop.") var rate: Double?
        @Option(help: "How arrivals of an open loop are spaced: poisson, constant or gamma.")
        var arrival = BenchOptions.Arrival.poisson
        @Option(help: "The shape of gamma arrivals: 1 is poisson, less comes in bursts, more is smoother.")
        var burstiness: Double?
        @Option(help: "Users that each wait for their answer, in a closed loop.") var concurrency: Int?
        @Option(help: "How long a user waits before the next request.") var thinkTime = BenchOptions().thinkTime
        @Option(help: "How long the load takes to grow to its full size.") var ramp = BenchOptions().ramp
        @Option(help: "How many requests are sent.") var requests: Int?
        @Option(help: "How long requests are sent. (default: 30s, or 5s for a block of --compare)")
        var duration: String?
        @Option(help: "What comes first and is not measured: a duration, or a number of requests.")
        var warmup: String?
        @Option(help: "The most requests under way in an open loop; what is due beyond waits.")
        var maxConcurrency = BenchOptions().maxConcurrency
        @Option(help: "Several runs: concurrency=1,2,4,… or rate=1,2,4,….") var sweep: String?
        @Option(
            parsing: .upToNextOption,
            help: "Two targets, [LABEL=]URL each, that get the same load in blocks that take turns."
        )
        var compare: [String] = []
        @Option(help: "How many pairs of blocks --compare makes.") var blocks = BenchOptions().blocks
        @Option(help: "Seed of all random choices.") var seed: UInt64 = 0
        @Option(help: "Event loops. (default: one per processor, at most 4)") var threads: Int?
    }

    struct RequestOptions: ParsableArguments {
        @Option(help: "chat or completions.") var api = Workload.API.chat
        @Option(help: "The path, when it is not the API's.") var path: String?
        @Option(help: "A model or LoRA adapter as NAME[=WEIGHT]; repeatable. (default: the first that is listed)")
        var model: [String] = []
        @Option(help: "Tokens of a prompt: N, uniform:LOW:HIGH or lognormal:MEAN:DEVIATION.")
        var promptTokens = BenchOptions().promptTokens
        @Option(help: "Tokens of an answer, likewise.") var outputTokens = BenchOptions().outputTokens
        @Option(help: "How many shared prefixes there are; each conversation begins with one.") var prefixGroups = 0
        @Option(help: "Tokens of a shared prefix.") var prefixTokens = 0
        @Option(help: "How many times a conversation's user speaks.") var turns = 1
        @Option(help: "A file of recorded requests, one JSON object a line; replayed by its own times if it has them.")
        var trace: String?
        @Option(help: "How many times faster than recorded a trace is replayed.") var traceSpeed = 1.0
        @Flag(inversion: .prefixedNo, help: "Ask for streams.") var stream = true
        @Flag(inversion: .prefixedNo, help: "Ask the engine for as many tokens as the answer may have.")
        var ignoreEos = true
        @Option(help: "A JSON object whose members are added to each body.") var extraBody: String?
        @Option(
            name: .customLong("header"),
            help: "A header field NAME:VALUE; {session} and {request} become numbers; repeatable."
        )
        var headers: [String] = []
        @Option(help: "An objective as NAME[=WEIGHT]; repeatable.") var objective: [String] = []
        @Option(name: .customLong("fairness-id"), help: "A fairness id as NAME[=WEIGHT]; repeatable.")
        var fairnessID: [String] = []
    }

    struct ConnectionOptions: ParsableArguments {
        @Option(help: "How long an answer may take.") var timeout = BenchOptions().timeout
        @Option(help: "A bearer token for the target; without it $OPENAI_API_KEY.") var apiKey: String?
        @Flag(help: "Do not check the target's certificate.") var insecure = false
        @Option(help: "A file of PEM certificates to check the target's against.") var caFile: String?
    }

    struct ResultOptions: ParsableArguments {
        @Option(help: "What a request must keep to count for goodput: ttft=500ms,itl=50ms,tpot=…,e2e=….")
        var slo: String?
        @Option(help: "Fail when this holds, as 'p99_ttft>1s' or 'error_rate>0.01'; repeatable.")
        var failIf: [String] = []
        @Option(help: "A file for the results as JSON.") var outputJson: String?
        @Option(help: "A file for the results as a page.") var outputHtml: String?
        @Flag(help: "Show no progress.") var quiet = false
    }

    func run() async throws {
        var options = BenchOptions()
        options.target = target
        apply(load, to: &options)
        apply(requests, to: &options)
        options.timeout = connection.timeout
        options.apiKey = connection.apiKey
        options.isInsecure = connection.insecure
        options.caPath = connection.caFile
        options.objectivesOfLatency = results.slo
        options.failIf = results.failIf
        options.jsonPath = results.outputJson
        options.htmlPath = results.outputHtml
        options.isQuiet = results.quiet
        options.arguments = BenchOptions.shown(Array(CommandLine.arguments.dropFirst()))
        let outcome: BenchOutcome
        do throws(CommandError) {
            outcome = try await BenchApplication.run(options)
        } catch {
            throw ValidationError(error.description)
        }
        print(outcome.text, terminator: "")
        for failure in outcome.failures { StandardStream.error.write("failed: \(failure)\n") }
        if outcome.status != 0 { throw ExitCode(outcome.status) }
    }

    private func apply(_ load: LoadOptions, to options: inout BenchOptions) {
        options.rate = load.rate
        options.arrival = load.arrival
        options.burstiness = load.burstiness
        options.concurrency = load.concurrency
        options.thinkTime = load.thinkTime
        options.ramp = load.ramp
        options.requests = load.requests
        options.duration = load.duration
        options.warmUp = load.warmup
        options.maxConcurrency = load.maxConcurrency
        options.sweep = load.sweep
        options.compare = load.compare
        options.blocks = load.blocks
        options.seed = load.seed
        options.threads = load.threads
    }

    private func apply(_ requests: RequestOptions, to options: inout BenchOptions) {
        options.api = requests.api
        options.path = requests.path
        options.models = requests.model
        options.promptTokens = requests.promptTokens
        options.outputTokens = requests.outputTokens
        options.prefixGroups = requests.prefixGroups
        options.prefixTokens = requests.prefixTokens
        options.turns = requests.turns
        options.tracePath = requests.trace
        options.traceSpeed = requests.traceSpeed
        options.streams = requests.stream
        options.ignoresEndOfText = requests.ignoreEos
        options.extraBody = requests.extraBody
        options.headers = requests.headers
        options.objectives = requests.objective
        options.fairnessIDs = requests.fairnessID
    }
}

extension BenchOptions.Arrival: ExpressibleByArgument {}
extension Workload.API: ExpressibleByArgument {}
