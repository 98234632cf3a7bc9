/// Results as tables for people.
package enum ResultTable {
    private static let width = 54
    private static let titleWidth = 40

    /// The table of a run, each line ending with a line break.
    package static func text(_ summary: RunSummary) -> String {
        var lines = [rule("=", " \(summary.label.isEmpty ? "Serving Benchmark Result" : summary.label) ")]
        for section in summary.sections {
            if !section.title.isEmpty { lines.append(rule("-", section.title)) }
            for value in section.values {
                lines.append((value.title + ":").padded(to: titleWidth) + " " + shown(value))
            }
            if section.title == "Endpoints" { lines += endpoints(summary.measure) }
        }
        lines += failures(summary.measure)
        lines.append(String(repeating: "=", count: width))
        for warning in summary.warnings { lines.append("warning: \(warning)") }
        return lines.joined(separator: "\n") + "\n"
    }

    /// One line for each run of a sweep, under a heading.
    package static func sweep(_ summaries: [RunSummary]) -> String {
        let columns = [
            ("req/s", "request_throughput"), ("tok/s", "output_throughput"), ("TTFT p50", "median_ttft_ms"),
            ("TTFT p99", "p99_ttft_ms"), ("ITL p50", "median_itl_ms"), ("ITL p99", "p99_itl_ms"),
            ("E2EL p50", "median_e2el_ms"), ("failed", "failed"),
        ]
        let rows = summaries.map { summary in
            [summary.label] + columns.map { summary.value($0.1)?.fixed($0.0 == "failed" ? 0 : 2) ?? "-" }
        }
        return aligned([["run"] + columns.map(\.0)] + rows)
    }

    /// What two targets have to do with each other.
    package static func text(_ comparison: TargetComparison) -> String {
        let (first, second) = comparison.labels
        var rows = [["metric", first, second, "ratio", "95 % interval", ""]]
        for row in comparison.rows {
            rows.append([
                row.name, row.first?.fixed(2) ?? "-", row.second?.fixed(2) ?? "-", row.ratio?.median.fixed(3) ?? "-",
                row.ratio?.interval.map { "\($0.lowerBound.fixed(3)) to \($0.upperBound.fixed(3))" } ?? "-",
                row.verdict,
            ])
        }
        return rule("=", " \(second) over \(first), \(comparison.pairs) pairs of blocks ") + "\n" + aligned(rows)
            + comparison.warnings.map { "warning: \($0)\n" }.joined()
    }

    private static func endpoints(_ measure: RunMeasure) -> [String] {
        let sorted = measure.shares.sorted { ($1.value.requests, $0.key) < ($0.value.requests, $1.key) }
        let rest = sorted.count > namesMax ? ["  and \(sorted.count - namesMax) more"] : []
        return sorted.prefix(namesMax).map { name, share in
            let part = Double(share.requests) / Double(max(1, measure.completed)) * 100
            let first = share.timeToFirstTokenSum / Double(max(1, share.requests)) / 1e6
            return "  \(name): ".padded(to: titleWidth) + " \(part.fixed(1)) %, mean TTFT \(first.fixed(2)) ms"
        } + rest
    }

    /// The most endpoints, or reasons of failures, that are listed.
    private static let namesMax = 32

    private static func failures(_ measure: RunMeasure) -> [String] {
        if measure.failures.isEmpty { return [] }
        return [rule("-", "Failures")]
            + measure.failures.sorted { $0.value > $1.value }.prefix(namesMax).map { reason, count in
                (reason + ":").padded(to: titleWidth) + " \(count)"
            }
    }

    private static func shown(_ value: RunSummary.Value) -> String {
        value.value?.fixed(value.digits) ?? "-"
    }

    private static func rule(_ character: Character, _ title: String) -> String {
        let free = max(2, width - title.count)
        let left = free / 2
        return String(repeating: character, count: left) + title + String(repeating: character, count: free - left)
    }

    /// Columns side by side: the first to the left, the others to the right.
    private static func aligned(_ rows: [[String]]) -> String {
        let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        var text = ""
        for row in rows {
            var line = ""
            for (column, cell) in row.enumerated() {
                let isText = column == 0 || rows[0][column].isEmpty
                line += isText ? cell.padded(to: widths[column]) : cell.paddedInFront(to: widths[column])
                line += "  "
            }
            while line.last == " " { line.removeLast() }
            text += line + "\n"
        }
        return text
    }
}
