/// Two targets that got the same load in blocks that took turns: what of a difference is more than noise.
package struct TargetComparison: Sendable {
    /// One metric.
    package struct Row: Sendable {
        /// Its name in the JSON report.
        package let name: String
        /// The median of the first target's blocks.
        package let first: Double?
        /// The median of the second target's blocks.
        package let second: Double?
        /// The second's over the first's, from blocks in pairs; `nil` when nothing was measured.
        package let ratio: PairedRatio?
        /// Whether a greater number is the better one.
        package let isMoreBetter: Bool

        /// What the interval says, in few words.
        package var verdict: String {
            guard let ratio, let interval = ratio.interval else { return "too few pairs" }
            if interval.contains(1) { return "within noise" }
            let word = (ratio.median > 1) == isMoreBetter ? "better" : "worse"
            // One of many intervals leaves out 1 by chance.
            return ratio.isBeyondNoise(among: TargetComparison.metrics.count) ? word : "perhaps \(word)"
        }
    }

    /// The metrics that are compared, and whether more is better.
    private static let metrics: [(name: String, isMoreBetter: Bool)] = [
        ("request_throughput", true), ("output_throughput", true), ("mean_ttft_ms", false), ("median_ttft_ms", false),
        ("p99_ttft_ms", false), ("mean_tpot_ms", false), ("median_itl_ms", false), ("p99_itl_ms", false),
        ("mean_e2el_ms", false), ("median_e2el_ms", false), ("p99_e2el_ms", false), ("request_goodput", true),
        ("cached_share", true),
    ]

    /// What the targets are called.
    package let labels: (String, String)
    /// How many pairs of blocks there are.
    package let pairs: Int
    /// The metrics that were measured.
    package let rows: [Row]
    /// The targets that answered nothing.
    package let silent: [String]
    /// What the reader must know before trusting the verdicts; full sentences.
    package let warnings: [String]

    /// Compares blocks; those with the same place are a pair.
    package init(labels: (String, String), first: [RunSummary], second: [RunSummary]) {
        self.labels = labels
        pairs = min(first.count, second.count)
        let sides = [(label: labels.0, blocks: first), (label: labels.1, blocks: second)]
        silent = sides.filter { $0.blocks.allSatisfy { $0.measure.completed == 0 } }.map(\.label)
        warnings = sides.compactMap { Self.warning($0.label, $0.blocks) }
        rows = Self.metrics.compactMap { metric in
            let ones = first.compactMap { $0.value(metric.name) }
            let others = second.compactMap { $0.value(metric.name) }
            if (ones + others).allSatisfy({ $0 == 0 }) { return nil }
            let ratios = zip(first, second).compactMap { one, other -> Double? in
                guard let below = one.value(metric.name), let above = other.value(metric.name), below > 0 else {
                    return nil
                }
                return above / below
            }
            return Row(
                name: metric.name,
                first: Self.median(ones),
                second: Self.median(others),
                ratio: PairedRatio(ratios),
                isMoreBetter: metric.isMoreBetter
            )
        }
    }

    /// The median ratio of a metric; `nil` when there is none.
    package func ratio(_ name: String) -> Double? {
        rows.first { $0.name == name }?.ratio?.median
    }

    /// The names of the metrics that can be compared.
    package static var names: Set<String> { Set(metrics.map(\.name)) }

    private static func warning(_ label: String, _ blocks: [RunSummary]) -> String? {
        let failed = blocks.reduce(0) { $0 + $1.measure.failed }
        if failed == 0 { return nil }
        let all = blocks.reduce(failed) { $0 + $1.measure.completed }
        let empty = blocks.count { $0.measure.completed == 0 }
        let left = empty > 0 ? " In \(empty) blocks all did, and their pairs have no latencies." : ""
        return "\(failed) of \(all) requests to \(label) failed; latencies are those of the others.\(left)"
    }

    private static func median(_ values: [Double]) -> Double? {
        let sorted = values.sorted()
        if sorted.isEmpty { return nil }
        return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    }
}
