import FoundationEssentials
import GatewayCore
import LoadGenerator
import RequestFormats

/// The options of `martlet bench`, read and held against each other.
struct BenchPlan {
    /// One step of a sweep, or the only run.
    struct Step {
        /// What tells it from the others; empty for the only one.
        let label: String
        let load: LoadPlan
    }

    /// One target, or the two that are compared.
    let targets: [BenchTarget]
    let workload: Workload
    let steps: [Step]
    let thresholds: [Threshold]
    /// How many event loops the load is on.
    let threads: Int
    let options: BenchOptions

    /// Reads options.
    ///
    /// - Throws: ``CommandError`` for what makes no sense, with the option and its value.
    init(_ options: BenchOptions) throws(CommandError) {
        self.options = options
        let given = options.compare.isEmpty ? [options.target] : options.compare
        guard options.compare.isEmpty || options.compare.count == 2 else {
            throw CommandError("--compare needs two targets; it has \(options.compare.count).")
        }
        var targets: [BenchTarget] = []
        for text in given { targets.append(try BenchTarget(text, options)) }
        self.targets = targets
        let workload = try Self.workload(options)
        self.workload = workload
        steps = try Self.steps(options, workload)
        thresholds = try Self.thresholds(options)
        threads = options.threads ?? min(4, ProcessInfo.processInfo.activeProcessorCount)
        guard (1...256).contains(threads) else { throw CommandError("--threads \(threads) is not from 1 to 256.") }
        if !options.compare.isEmpty {
            if options.sweep != nil { throw CommandError("--sweep does not go with --compare.") }
            if let path = options.tracePath, workload.trace?.hasTexts == true {
                throw CommandError(
                    "--trace '\(path)' has texts, which --compare would ask of both targets: one would find the "
                        + "other's in a cache behind both. Compare with a trace of lengths.")
            }
            guard (2...1_000).contains(options.blocks) else {
                throw CommandError("--blocks \(options.blocks) is not from 2 to 1000.")
            }
        }
    }

    // MARK: What is asked

    private static func workload(_ options: BenchOptions) throws(CommandError) -> Workload {
        var workload = Workload()
        workload.api = options.api
        workload.models = try names(options.models, flag: "--model")
        workload.promptTokens = try tokens(options.promptTokens, flag: "--prompt-tokens")
        workload.outputTokens = try tokens(options.outputTokens, flag: "--output-tokens")
        guard (0...1_000_000).contains(options.prefixGroups) else {
            throw CommandError("--prefix-groups \(options.prefixGroups) is not from 0 to 1000000.")
        }
        guard (0...TokenDistribution.tokensMax).contains(options.prefixTokens),
            (options.prefixTokens > 0) == (options.prefixGroups > 0)
        else { throw CommandError("--prefix-groups and --prefix-tokens go together, both above 0.") }
        workload.prefixGroups = options.prefixGroups
        workload.prefixTokens = options.prefixTokens
        guard (1...1_000).contains(options.turns) else {
            throw CommandError("--turns \(options.turns) is not from 1 to 1000.")
        }
        workload.turns = options.turns
        workload.streams = options.streams
        workload.ignoresEndOfText = options.ignoresEndOfText
        workload.headers = try fields(options)
        workload.objectives = try names(options.objectives, flag: "--objective")
        workload.fairnessIDs = try names(options.fairnessIDs, flag: "--fairness-id")
        for name in workload.objectives.names + workload.fairnessIDs.names where FieldValueFault(name) != nil {
            throw CommandError("'\(name)' cannot be the value of a header field.")
        }
        if let text = options.extraBody { workload.extraMembers = try members(text) }
        if let path = options.tracePath {
            guard options.turns == 1, options.prefixGroups == 0 else {
                throw CommandError("--trace has requests of its own: neither --turns nor --prefix-groups goes with it.")
            }
            do {
                workload.trace = try Trace(try ExplainApplication.contents(of: path, flag: "--trace"))
            } catch let fault as Trace.Fault {
                throw CommandError("--trace '\(path)': \(fault)")
            } catch let error as CommandError {
                throw error
            } catch {
                throw CommandError("--trace '\(path)': \(error).")
            }
        }
        workload.seed = options.seed
        return workload
    }

    private static func tokens(_ text: String, flag: String) throws(CommandError) -> TokenDistribution {
        guard let tokens = TokenDistribution(text) else {
            throw CommandError(
                "\(flag) '\(text)' is not a number, uniform:LOW:HIGH or lognormal:MEAN:DEVIATION, from 1 to "
                    + "\(TokenDistribution.tokensMax).")
        }
        return tokens
    }

    private static func names(_ arguments: [String], flag: String) throws(CommandError) -> WeightedNames {
        guard let names = WeightedNames(arguments: arguments) else {
            throw CommandError("\(flag) '\(arguments.joined(separator: " "))' is not NAME or NAME=WEIGHT.")
        }
        return names
    }

    private static func fields(_ options: BenchOptions) throws(CommandError) -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        for text in options.headers {
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, parts[0].utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
                FieldValueFault(String(parts[1])) == nil
            else { throw CommandError("--header '\(text)' is not NAME:VALUE.") }
            fields.append((parts[0].lowercased(), parts[1].trimmingWhitespace()))
        }
        if let authorization = options.authorization {
            guard FieldValueFault(authorization) == nil else { throw CommandError("The API key is no token.") }
            fields.append(("authorization", authorization))
        }
        return fields
    }

    /// The members of a JSON object, with a comma in front of each.
    private static func members(_ text: String) throws(CommandError) -> [UInt8] {
        let body = Array(text.utf8)
        do {
            return try body.withUnsafeBytes { raw in
                let bytes = RawSpan(_unsafeBytes: raw)
                var scanner = JSONScanner()
                var members: [UInt8] = []
                try scanner.enterObject(in: bytes)
                while let key = try scanner.nextKey(in: bytes) {
                    let value = try scanner.skipValue(in: bytes)
                    members.append(UInt8(ascii: ","))
                    members += body[key.range]
                    members.append(UInt8(ascii: ":"))
                    members += body[value.range]
                }
                try scanner.finish(in: bytes)
                return members
            }
        } catch {
            throw CommandError("--extra-body '\(text)' is not a JSON object: \(error).")
        }
    }

    private static func thresholds(_ options: BenchOptions) throws(CommandError) -> [Threshold] {
        var thresholds: [Threshold] = []
        for text in options.failIf {
            guard let threshold = Threshold(text) else {
                throw CommandError("--fail-if '\(text)' is not a name, one of > < >= <=, and a number or a duration.")
            }
            guard threshold.isKnown else {
                throw CommandError(
                    "--fail-if '\(text)' names nothing that is measured; docs/bench.md has the names, as p99_ttft.")
            }
            if threshold.isRatio, options.compare.isEmpty {
                throw CommandError("--fail-if '\(text)' is a ratio, which needs --compare.")
            }
            thresholds.append(threshold)
        }
        return thresholds
    }
}
