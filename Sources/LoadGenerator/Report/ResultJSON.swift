import RequestFormats

/// What surrounds the numbers of a report: when, where and how they were measured.
package struct ReportContext: Sendable {
    /// The version of the program.
    package var version = ""
    /// When the first run began, in the form of RFC 3339.
    package var date = ""
    /// The system: its name, release and processor type.
    package var system = ""
    /// The processors of the machine.
    package var processors = 0
    /// The arguments of the command.
    package var arguments: [String] = []
    /// The options with their values, defaults included.
    package var options: [(name: String, value: String)] = []

    /// An empty context.
    package init() {}
}

/// Results as JSON; docs/bench.md describes it.
package enum ResultJSON {
    /// The number of the form, which changes when a reader of the old one would go wrong.
    package static let schema = 1

    /// The report of some runs, and of the comparison that they were made for.
    package static func document(
        _ summaries: [RunSummary],
        comparison: TargetComparison?,
        _ context: ReportContext
    ) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("schema")
        writer.integer(schema)
        writer.member("martlet_version", context.version)
        writer.member("date", context.date)
        writer.key("environment")
        writer.beginObject()
        writer.member("system", context.system)
        writer.key("processors")
        writer.integer(context.processors)
        writer.endObject()
        writer.key("arguments")
        writer.beginArray()
        for argument in context.arguments { writer.string(argument) }
        writer.endArray()
        writer.key("options")
        writer.beginObject()
        for option in context.options { writer.member(option.name, option.value) }
        writer.endObject()
        writer.key("runs")
        writer.beginArray()
        for summary in summaries { write(summary, &writer) }
        writer.endArray()
        if let comparison { write(comparison, &writer) }
        writer.endObject()
        return writer.bytes
    }

    private static func write(_ summary: RunSummary, _ writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("label", summary.label)
        writer.member("target", summary.target)
        for value in summary.sections.flatMap(\.values) {
            writer.key(value.name)
            writer.number(value.value)
        }
        let measure = summary.measure
        for (name, count) in [
            ("good", measure.good), ("unfinished", measure.unfinished), ("warm_up_requests", measure.warmUp),
            ("requests_with_usage", measure.withUsage), ("sent_again", measure.sentAgain),
            ("connections", measure.connections),
        ] {
            writer.key(name)
            writer.integer(count)
        }
        writer.key("failures")
        writer.beginObject()
        for (reason, count) in measure.failures.sorted(by: { $0.key < $1.key }) {
            writer.key(reason)
            writer.integer(count)
        }
        writer.endObject()
        write(measure.shares, of: measure.completed, &writer)
        write(measure.timeline, &writer)
        for (name, histogram) in [
            ("ttft", measure.timeToFirstToken), ("itl", measure.interTokenLatency), ("e2el", measure.endToEnd),
        ] {
            writer.key("\(name)_distribution_ms")
            writer.beginArray()
            for point in histogram.distribution(pointsMax: 101) {
                writer.beginArray()
                writer.double(point.nanoseconds / 1e6)
                writer.double(point.share)
                writer.endArray()
            }
            writer.endArray()
        }
        writer.key("warnings")
        writer.beginArray()
        for warning in summary.warnings { writer.string(warning) }
        writer.endArray()
        writer.endObject()
    }

    private static func write(_ shares: [String: RunMeasure.Share], of completed: Int, _ writer: inout JSONWriter) {
        writer.key("endpoints")
        writer.beginObject()
        for (name, share) in shares.sorted(by: { $0.key < $1.key }) {
            writer.key(name)
            writer.beginObject()
            writer.key("requests")
            writer.integer(share.requests)
            writer.key("share")
            writer.double(Double(share.requests) / Double(max(1, completed)))
            writer.key("output_tokens")
            writer.integer(share.outputTokens)
            writer.key("cached_share")
            writer.number(
                share.promptTokens > 0 ? Double(share.cachedTokens) / Double(share.promptTokens) : nil)
            writer.key("mean_ttft_ms")
            writer.number(share.requests > 0 ? share.timeToFirstTokenSum / Double(share.requests) / 1e6 : nil)
            writer.endObject()
        }
        writer.endObject()
    }

    private static func write(_ timeline: RunTimeline, _ writer: inout JSONWriter) {
        writer.key("timeline")
        writer.beginObject()
        writer.key("bin_seconds")
        writer.double(timeline.binSeconds)
        func column(_ name: String, _ value: (RunTimeline.Bin) -> Double?) {
            writer.key(name)
            writer.beginArray()
            for bin in timeline.bins { writer.number(value(bin)) }
            writer.endArray()
        }
        column("completed") { Double($0.completed) }
        column("failed") { Double($0.failed) }
        column("output_tokens") { Double($0.outputTokens) }
        column("median_ttft_ms") { $0.timeToFirstToken.quantile(0.5).map { $0 / 1e6 } }
        column("p99_ttft_ms") { $0.timeToFirstToken.quantile(0.99).map { $0 / 1e6 } }
        writer.endObject()
    }

    private static func write(_ comparison: TargetComparison, _ writer: inout JSONWriter) {
        writer.key("comparison")
        writer.beginObject()
        writer.member("first", comparison.labels.0)
        writer.member("second", comparison.labels.1)
        writer.key("pairs")
        writer.integer(comparison.pairs)
        writer.key("metrics")
        writer.beginObject()
        for row in comparison.rows {
            writer.key(row.name)
            writer.beginObject()
            writer.key("first")
            writer.number(row.first)
            writer.key("second")
            writer.number(row.second)
            writer.key("ratio")
            writer.number(row.ratio?.median)
            writer.key("low")
            writer.number(row.ratio?.interval?.lowerBound)
            writer.key("high")
            writer.number(row.ratio?.interval?.upperBound)
            writer.member("verdict", row.verdict)
            writer.endObject()
        }
        writer.endObject()
        writer.key("warnings")
        writer.beginArray()
        for warning in comparison.warnings { writer.string(warning) }
        writer.endArray()
        writer.endObject()
    }
}

extension JSONWriter {
    fileprivate mutating func member(_ name: String, _ text: String) {
        key(name)
        string(text)
    }

    /// A number with whole ones written as such; null for none.
    fileprivate mutating func number(_ value: Double?) {
        guard let value else { return null() }
        if let whole = Int(exactly: value) { integer(whole) } else { double(value) }
    }
}
