import GatewayCore
import LoadGenerator

// How much load there is, and for how long.
extension BenchPlan {
    /// How long a run takes when nothing says so; a block of a comparison takes less.
    private static let defaultSeconds = 30.0
    private static let defaultBlockSeconds = 5.0
    private static let defaultConcurrency = 8

    /// The steps of a sweep, or the only one.
    static func steps(_ options: BenchOptions, _ workload: Workload) throws(CommandError) -> [Step] {
        guard let sweep = options.sweep else {
            return [Step(label: "", load: try load(options, workload))]
        }
        let sides = sweep.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard sides.count == 2, sides[0] == "concurrency" || sides[0] == "rate" else {
            throw CommandError("--sweep '\(sweep)' is not concurrency=N,N,… or rate=N,N,….")
        }
        var steps: [Step] = []
        for text in sides[1].split(separator: ",", omittingEmptySubsequences: false) {
            var options = options
            options.rate = nil
            options.concurrency = nil
            if sides[0] == "rate" { options.rate = Double(text) } else { options.concurrency = Int(text) }
            guard options.rate != nil || options.concurrency != nil else {
                throw CommandError("--sweep '\(sweep)': '\(text)' is no number.")
            }
            var load = try load(options, workload)
            // Each step asks something else, so that it does not find the answers of the last one in a cache.
            load.firstConversation = steps.count * stride
            steps.append(Step(label: "\(sides[0])=\(text)", load: load))
        }
        return steps
    }

    /// How many conversations there are room for in one step or block.
    static let stride = 10_000_000

    private static func load(_ options: BenchOptions, _ workload: Workload) throws(CommandError) -> LoadPlan {
        var load = LoadPlan(mode: try mode(options, workload))
        load.seed = options.seed
        load.thinkSeconds = try seconds(options.thinkTime, flag: "--think-time")
        load.timeoutSeconds = try seconds(options.timeout, flag: "--timeout")
        guard load.timeoutSeconds > 0 else { throw CommandError("--timeout '\(options.timeout)' is not above 0.") }
        guard (1...1_000_000).contains(options.maxConcurrency) else {
            throw CommandError("--max-concurrency \(options.maxConcurrency) is not from 1 to 1000000.")
        }
        load.inFlightMax = options.maxConcurrency
        if let requests = options.requests {
            guard (1...stride).contains(requests) else {
                throw CommandError("--requests \(requests) is not from 1 to \(stride).")
            }
            load.conversations = conversations(of: requests, options)
        }
        if let duration = options.duration {
            load.seconds = try seconds(duration, flag: "--duration")
        } else if case .replay = load.mode {
            load.conversations = min(load.conversations ?? .max, workload.trace?.entries.count ?? 0)
        } else if load.conversations == nil {
            load.seconds = options.compare.isEmpty ? defaultSeconds : defaultBlockSeconds
        }
        if let text = options.warmUp { load.warmUp = try warmUp(text, options) }
        if case .seconds(let warm) = load.warmUp, let all = load.seconds, options.compare.isEmpty {
            // A given time is that of the measurement.
            load.seconds = all + warm
        }
        if case .conversations(let count) = load.warmUp, let all = load.conversations, options.compare.isEmpty {
            load.conversations = all + count
        }
        if let text = options.objectivesOfLatency {
            guard let objectives = LatencyObjectives(text) else {
                throw CommandError("--slo '\(text)' is not a list of ttft=, itl=, tpot= and e2e= with durations.")
            }
            load.objectives = objectives
        }
        return load
    }

    private static func mode(_ options: BenchOptions, _ workload: Workload) throws(CommandError) -> LoadPlan.Mode {
        let ramp = try seconds(options.ramp, flag: "--ramp")
        if let rate = options.rate {
            guard options.concurrency == nil else {
                throw CommandError(
                    "--rate and --concurrency do not go together; --max-concurrency limits an open loop.")
            }
            guard rate > 0, rate <= 1_000_000 else { throw CommandError("--rate \(rate) is not from 0 to 1000000.") }
            return .open(ArrivalProcess(rate: rate, spacing: try spacing(options), rampSeconds: ramp))
        }
        if options.burstiness != nil || options.arrival != .poisson {
            throw CommandError("--arrival and --burstiness need --rate: without it the load is a closed loop.")
        }
        if options.concurrency == nil, workload.trace?.isTimed == true {
            guard options.traceSpeed > 0, options.traceSpeed.isFinite else {
                throw CommandError("--trace-speed \(options.traceSpeed) is not above 0.")
            }
            return .replay(speed: options.traceSpeed)
        }
        let users = options.concurrency ?? defaultConcurrency
        guard (1...1_000_000).contains(users) else {
            throw CommandError("--concurrency \(users) is not from 1 to 1000000.")
        }
        return .closed(users: users, rampSeconds: ramp)
    }

    private static func spacing(_ options: BenchOptions) throws(CommandError) -> ArrivalProcess.Spacing {
        switch options.arrival {
        case .constant:
            if options.burstiness != nil { throw CommandError("--burstiness goes with --arrival gamma only.") }
            return .constant
        case .poisson where options.burstiness == nil:
            return .gamma(burstiness: 1)
        case .poisson, .gamma:
            let burstiness = options.burstiness ?? 1
            guard burstiness > 0, burstiness.isFinite else {
                throw CommandError("--burstiness \(burstiness) is not above 0.")
            }
            return .gamma(burstiness: burstiness)
        }
    }

    /// How many conversations have so many requests; each is had to its end.
    private static func conversations(of requests: Int, _ options: BenchOptions) -> Int {
        (requests + options.turns - 1) / options.turns
    }

    private static func warmUp(_ text: String, _ options: BenchOptions) throws(CommandError) -> LoadPlan.WarmUp {
        if let count = Int(text), count >= 0 {
            guard count <= stride else { throw CommandError("--warmup \(count) is not from 0 to \(stride).") }
            return count == 0 ? .none : .conversations(conversations(of: count, options))
        }
        let seconds = try seconds(text, flag: "--warmup")
        return seconds > 0 ? .seconds(seconds) : .none
    }

    private static func seconds(_ text: String, flag: String) throws(CommandError) -> Double {
        guard let duration = GoDuration.parse(text), duration >= .zero else {
            throw CommandError("\(flag) '\(text)' is not a duration such as 30s or 1m30s.")
        }
        guard duration.fractionalSeconds <= LoadPlan.secondsMax else {
            throw CommandError("\(flag) '\(text)' is more than a century.")
        }
        return duration.fractionalSeconds
    }
}
