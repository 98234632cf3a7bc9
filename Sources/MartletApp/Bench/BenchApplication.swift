import FoundationEssentials
import LoadGenerator
import NIOCore
import NIOPosix
import UnixSignals

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// `martlet bench`.
package enum BenchApplication {
    /// Makes the load, shows how it goes, and sums it up. SIGINT and SIGTERM end the load; what was measured by then is
    /// summed up.
    ///
    /// - Throws: ``CommandError`` for what the user can mend: options that do not go together, a target that does not
    ///   answer.
    package static func run(_ options: BenchOptions) async throws(CommandError) -> BenchOutcome {
        let plan = try BenchPlan(options)
        ProcessSetup.raiseDescriptorLimit()
        var context = ReportContext(plan)
        var workload = plan.workload
        if workload.models.isEmpty, workload.trace?.entries.allSatisfy(\.namesModel) != true {
            let model = try await plan.targets[0].firstModel(options)
            workload.models = WeightedNames(arguments: [model + "=1"]) ?? WeightedNames()
            context.options.append(("model of the target", model))
        }
        let results: BenchResults
        do {
            results = try await interruptible { [workload] isInterrupted in
                let group = MultiThreadedEventLoopGroup(numberOfThreads: plan.threads)
                let loops = Array(group.makeIterator())
                let session = BenchSession(plan: plan, workload: workload, loops: loops, isInterrupted: isInterrupted)
                let results: Result<BenchResults, any Error>
                do { results = .success(try await session.run()) } catch { results = .failure(error) }
                try await group.shutdownGracefully()
                return try results.get()
            }
        } catch let error as CommandError {
            throw error
        } catch {
            throw CommandError("The load cannot be made: \(error).")
        }
        var outcome = outcome(results, plan)
        // Behind the tables, which took the whole load to make and are shown whatever becomes of the files.
        for failure in write(results, context, options) { outcome.fail(failure) }
        return outcome
    }

    /// Runs `body` until it ends; SIGINT and SIGTERM cancel it.
    private static func interruptible(
        _ body: @escaping @Sendable (_ isInterrupted: Interruption) async throws -> BenchResults
    ) async throws -> BenchResults {
        let interruption = Interruption()
        return try await withThrowingTaskGroup(of: BenchResults?.self) { group in
            group.addTask { try await body(interruption) }
            group.addTask {
                for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) {
                    interruption.set()
                    return nil
                }
                return nil
            }
            var results: BenchResults?
            while results == nil, let ended = try await group.next() {
                // A signal cancels the load, which then ends with what it has.
                if let ended { results = ended } else { group.cancelAll() }
            }
            group.cancelAll()
            guard let results else { throw CommandError("The load ended without a result.") }
            return results
        }
    }

    /// Writes the reports; returns a sentence for each that cannot be written.
    private static func write(_ results: BenchResults, _ context: ReportContext, _ options: BenchOptions) -> [String] {
        var files: [(flag: String, path: String, data: Data)] = []
        if let path = options.jsonPath {
            let bytes = ResultJSON.document(results.summaries, comparison: results.comparison, context)
            files.append(("--output-json", path, Data(bytes + [UInt8(ascii: "\n")])))
        }
        if let path = options.htmlPath {
            let page = ResultPage.document(results.summaries, comparison: results.comparison, context)
            files.append(("--output-html", path, Data(page.utf8)))
        }
        return files.compactMap { flag, path, data in
            do {
                try data.write(to: URL(filePath: path))
                return nil
            } catch {
                return "\(flag) '\(path)' cannot be written: \(error)."
            }
        }
    }

    private static func outcome(_ results: BenchResults, _ plan: BenchPlan) -> BenchOutcome {
        var text = ""
        if let comparison = results.comparison {
            text += ResultTable.text(comparison)
            for warning in Set(results.summaries.flatMap(\.warnings)).sorted() { text += "warning: \(warning)\n" }
        } else {
            for summary in results.summaries { text += ResultTable.text(summary) }
            if results.summaries.count > 1 { text += ResultTable.sweep(results.summaries) }
        }
        var failures: [String] = []
        for threshold in plan.thresholds {
            if threshold.isRatio {
                threshold.failure { results.comparison?.ratio($0) }.map { failures.append($0) }
                continue
            }
            for summary in results.summaries {
                guard let failure = threshold.failure(summary.value) else { continue }
                failures.append(summary.label.isEmpty ? failure : "\(summary.label): \(failure)")
            }
        }
        let silence = silence(results)
        failures += silence
        let status =
            results.isInterrupted
            ? BenchOutcome.interruptedStatus : failures.isEmpty ? 0 : silence.isEmpty ? BenchOutcome.missedStatus : 1
        return BenchOutcome(text: text, failures: failures, status: status)
    }
}

extension BenchApplication {
    /// Who did not answer a single request, a sentence each.
    private static func silence(_ results: BenchResults) -> [String] {
        if results.summaries.allSatisfy({ $0.measure.completed == 0 }) { return ["No request was answered."] }
        return results.comparison?.silent.map { "No request to \($0) was answered." } ?? []
    }
}

extension ReportContext {
    /// What a report says of `plan` and of the machine.
    fileprivate init(_ plan: BenchPlan) {
        self.init()
        version = BuildInformation.version
        date = Date().ISO8601Format()
        processors = ProcessInfo.processInfo.activeProcessorCount
        system = Self.systemName
        arguments = plan.options.arguments
        let (workload, options) = (plan.workload, plan.options)
        self.options = [
            ("targets", plan.targets.map(\.url).joined(separator: ", ")), ("api", workload.api.rawValue),
            ("models", workload.models.description), ("seed", "\(options.seed)"), ("threads", "\(plan.threads)"),
            ("load", plan.steps.map { "\($0.load.mode)" }.joined(separator: "; ")),
            ("requests", plan.steps[0].load.conversations.map { "\($0 * workload.turns)" } ?? "as many as begin"),
            ("duration", plan.steps[0].load.seconds.map { "\($0)s" } ?? "until the last request"),
            ("warmup", "\(plan.steps[0].load.warmUp)"), ("prompt_tokens", "\(workload.promptTokens)"),
            ("output_tokens", "\(workload.outputTokens)"), ("prefix_groups", "\(workload.prefixGroups)"),
            ("prefix_tokens", "\(workload.prefixTokens)"), ("turns", "\(workload.turns)"),
            ("stream", "\(workload.streams)"), ("ignore_eos", "\(workload.ignoresEndOfText)"),
            ("trace", options.tracePath ?? ""), ("slo", plan.steps[0].load.objectives?.description ?? ""),
            ("max_concurrency", "\(options.maxConcurrency)"), ("timeout", options.timeout),
        ]
    }

    private static var systemName: String {
        var name = utsname()
        guard uname(&name) == 0 else { return "" }
        func text<Field>(_ field: Field) -> String {
            withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        return "\(text(name.sysname)) \(text(name.release)) \(text(name.machine))"
    }
}
