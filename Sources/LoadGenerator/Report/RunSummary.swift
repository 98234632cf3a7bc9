/// A run in numbers, under the names that the reports of `vllm bench serve` have for them.
package struct RunSummary: Sendable {
    /// One number.
    package struct Value: Sendable, Hashable {
        /// Its name in the JSON report and in thresholds.
        package let name: String
        /// Its title in the table.
        package let title: String
        /// The number; `nil` when nothing was measured for it.
        package let value: Double?
        /// Whether a greater number is the better one; `nil` when neither is.
        package let isMoreBetter: Bool?
        /// The digits behind the point that a table shows.
        package let digits: Int
    }

    /// A heading of the table, with the numbers below it.
    package struct Section: Sendable {
        /// The heading; empty for the first section.
        package let title: String
        /// The numbers.
        package let values: [Value]
    }

    /// The lag of the generator's own timers above which its times are not to be trusted, in milliseconds.
    static let lagMaxMilliseconds = 5.0

    /// What tells the run from others.
    package let label: String
    /// Where the load went, as a URL.
    package let target: String
    /// What was measured.
    package let measure: RunMeasure
    /// The numbers.
    package let sections: [Section]
    /// What the reader must know before trusting the numbers; full sentences.
    package let warnings: [String]

    /// What the generator itself did.
    package struct Generator: Sendable {
        /// Processor time that the process took, in seconds.
        package var processorSeconds: Double
        /// How long the run took, in seconds.
        package var seconds: Double
        /// Event loops that the load was on.
        package var threads: Int

        /// Describes a generator.
        package init(processorSeconds: Double, seconds: Double, threads: Int) {
            self.processorSeconds = processorSeconds
            self.seconds = seconds
            self.threads = threads
        }

        /// The share of its threads' time that the generator was busy.
        var busyShare: Double { seconds > 0 ? processorSeconds / seconds / Double(threads) : 0 }
    }

    /// Sums a run up.
    package init(
        label: String,
        target: String,
        measure: RunMeasure,
        plan: LoadPlan,
        streams: Bool,
        generator: Generator
    ) {
        self.label = label
        self.target = target
        self.measure = measure
        var sections = [Self.counts(measure, plan)]
        if streams {
            sections += [
                Self.latencies("Time to First Token", "TTFT", measure.timeToFirstToken),
                Self.latencies("Time per Output Token (excl. 1st token)", "TPOT", measure.timePerOutputToken),
                Self.latencies("Inter-token Latency", "ITL", measure.interTokenLatency),
            ]
        }
        sections.append(Self.latencies("End-to-end Latency", "E2EL", measure.endToEnd))
        if measure.completed == 0 { sections.removeLast(sections.count - 1) }
        if !measure.shares.isEmpty { sections.append(Self.balance(measure)) }
        sections.append(Self.generator(measure, generator))
        self.sections = sections
        warnings = Self.warnings(measure, plan, generator)
    }

    /// The number called `name`; `nil` when there is no such one or nothing was measured for it.
    package func value(_ name: String) -> Double? {
        sections.lazy.flatMap(\.values).first { $0.name == name }?.value
    }

    /// The names of all numbers that there may be: those of a run in which something was measured for each.
    package static let names: Set<String> = {
        var request = RequestRecord(scheduled: 0)
        request.usage = TokenUsage(prompt: 1, output: 1, cached: 0)
        request.server = ""
        var measure = RunMeasure(origin: 0)
        measure.record(request, objectives: nil)
        var plan = LoadPlan(mode: .closed(users: 1, rampSeconds: 0))
        plan.objectives = LatencyObjectives("e2e=1s")
        let generator = Generator(processorSeconds: 0, seconds: 1, threads: 1)
        let summary = RunSummary(
            label: "", target: "", measure: measure, plan: plan, streams: true, generator: generator)
        return Set(summary.sections.flatMap { $0.values.map(\.name) })
    }()

    private static func counts(_ measure: RunMeasure, _ plan: LoadPlan) -> Section {
        let seconds = measure.seconds
        func rate(_ count: Int) -> Double? { seconds > 0 ? Double(count) / seconds : nil }
        let all = measure.completed + measure.failed
        let bins = measure.timeline.bins
        // The last bin is mostly not full.
        let peak = bins.count > 1 ? bins.map(\.outputTokens).max() : nil
        var values = [
            Value("completed", "Successful requests", Double(measure.completed), isMoreBetter: true, digits: 0),
            Value("failed", "Failed requests", Double(measure.failed), isMoreBetter: false, digits: 0),
            Value(
                "error_rate", "Share of failed requests", all > 0 ? Double(measure.failed) / Double(all) : nil,
                isMoreBetter: false, digits: 4),
            Value("duration", "Benchmark duration (s)", seconds, isMoreBetter: nil),
            Value(
                "total_input_tokens", "Total input tokens", Double(measure.promptTokens), isMoreBetter: nil, digits: 0),
            Value(
                "total_output_tokens", "Total generated tokens", Double(measure.outputTokens), isMoreBetter: nil,
                digits: 0),
            Value("request_throughput", "Request throughput (req/s)", rate(measure.completed), isMoreBetter: true),
            Value(
                "output_throughput", "Output token throughput (tok/s)", rate(measure.outputTokens),
                isMoreBetter: true),
            Value(
                "max_output_tokens_per_s", "Peak output token throughput (tok/s)",
                peak.map { Double($0) / measure.timeline.binSeconds }, isMoreBetter: true),
            Value(
                "total_token_throughput", "Total token throughput (tok/s)",
                rate(measure.promptTokens + measure.outputTokens), isMoreBetter: true),
            Value(
                "max_concurrent_requests", "Peak concurrent requests", Double(measure.inFlightMax),
                isMoreBetter: nil, digits: 0),
        ]
        if plan.objectives != nil {
            values.append(Value("request_goodput", "Request goodput (req/s)", rate(measure.good), isMoreBetter: true))
            values.append(
                Value(
                    "goodput_share", "Share of requests within objectives",
                    all > 0 ? Double(measure.good) / Double(all) : nil, isMoreBetter: true, digits: 4))
        }
        if measure.promptTokens > 0 {
            values.append(
                Value(
                    "cached_share", "Share of input tokens from cache",
                    Double(measure.cachedTokens) / Double(measure.promptTokens), isMoreBetter: true, digits: 4))
        }
        return Section(title: "", values: values)
    }

    private static func latencies(_ title: String, _ short: String, _ histogram: LatencyHistogram) -> Section {
        let name = short.lowercased()
        func value(_ prefix: String, _ title: String, _ nanoseconds: Double?) -> Value {
            Value("\(prefix)_\(name)_ms", "\(title) \(short) (ms)", nanoseconds.map { $0 / 1e6 }, isMoreBetter: false)
        }
        return Section(
            title: title,
            values: [
                value("mean", "Mean", histogram.mean),
                value("median", "Median", histogram.quantile(0.5)),
                value("std", "Std", histogram.standardDeviation),
                value("p90", "P90", histogram.quantile(0.9)),
                value("p95", "P95", histogram.quantile(0.95)),
                value("p99", "P99", histogram.quantile(0.99)),
                value("max", "Max", histogram.count > 0 ? Double(histogram.greatest) : nil),
            ]
        )
    }

    /// How evenly the endpoints were used.
    private static func balance(_ measure: RunMeasure) -> Section {
        let counts = measure.shares.values.map { Double($0.requests) }
        let mean = counts.reduce(0, +) / Double(counts.count)
        return Section(
            title: "Endpoints",
            values: [
                Value("endpoint_count", "Endpoints that served", Double(counts.count), isMoreBetter: nil, digits: 0),
                Value("balance", "Busiest over mean (requests)", (counts.max() ?? 0) / mean, isMoreBetter: false),
            ]
        )
    }

    private static func generator(_ measure: RunMeasure, _ generator: Generator) -> Section {
        func milliseconds(_ histogram: LatencyHistogram) -> Double? { histogram.quantile(0.99).map { $0 / 1e6 } }
        return Section(
            title: "Load generator",
            values: [
                Value(
                    "p99_send_delay_ms", "P99 delay of sending (ms)", milliseconds(measure.sendDelay),
                    isMoreBetter: false),
                Value(
                    "p99_loop_lag_ms", "P99 lag of its timers (ms)", milliseconds(measure.loopLag),
                    isMoreBetter: false),
                Value(
                    "generator_busy_share", "Share of its threads' time used", generator.busyShare,
                    isMoreBetter: false),
            ]
        )
    }

    private static func warnings(_ measure: RunMeasure, _ plan: LoadPlan, _ generator: Generator) -> [String] {
        var warnings: [String] = []
        if let lag = measure.loopLag.quantile(0.99), lag / 1e6 > lagMaxMilliseconds {
            warnings.append(
                "The generator was late itself: \((lag / 1e6).fixed(1)) ms at the 99th percentile of its timers. "
                    + "Its processors are busy; the times are not to be trusted.")
        }
        if generator.busyShare > 0.9 {
            warnings.append(
                "The generator used \((generator.busyShare * 100).fixed(0)) % of the time of its "
                    + "\(generator.threads) threads: it may be what limits the load.")
        }
        if case .closed = plan.mode {
        } else if let delay = measure.sendDelay.quantile(0.99), delay > 1e9 {
            warnings.append(
                "Requests were sent \((delay / 1e9).fixed(1)) s after they were due at the 99th percentile: as many "
                    + "as may be were under way. Latencies count from when they were due.")
        }
        if measure.completed > measure.withUsage {
            warnings.append(
                "\(measure.completed - measure.withUsage) answers told no usage: their tokens are the number of their "
                    + "events.")
        }
        if measure.sentAgain > 0 {
            warnings.append(
                "\(measure.sentAgain) requests were sent again: the server had closed their connections meanwhile.")
        }
        if measure.unfinished > 0 {
            warnings.append("The run was broken off: \(measure.unfinished) requests had no whole answer by then.")
        }
        return warnings
    }
}

extension RunSummary.Value {
    fileprivate init(_ name: String, _ title: String, _ value: Double?, isMoreBetter: Bool?, digits: Int = 2) {
        self.init(name: name, title: title, value: value, isMoreBetter: isMoreBetter, digits: digits)
    }
}
