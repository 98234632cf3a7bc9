import DataLayer
import GatewayCore
import RequestControl
import Scheduling

/// A decision as a table for people: an endpoint each line, a scorer each column.
struct DecisionTable {
    private let decision: DecisionRecord
    private var lines: [String] = []

    /// The table of `decision`, without a line break at its end.
    static func text(_ decision: DecisionRecord) -> String {
        var table = DecisionTable(decision: decision)
        table.write()
        return table.lines.joined(separator: "\n")
    }

    /// One line for each of `decisions`, without a line break at the end.
    static func overview(_ decisions: [DecisionRecord], now: MonotonicInstant) -> String {
        let rows = decisions.map { decision in
            [
                decision.requestID,
                fixed(now.seconds(since: decision.begunAt), digits: 1) + " s ago",
                decision.pool.name,
                decision.model.isEmpty ? "-" : decision.model,
                decision.picked.first.map(\.name) ?? decision.rejection.map { "refused: \($0.reason.rawValue)" } ?? "-",
                microseconds(decision.nanoseconds),
            ]
        }
        return aligned([["REQUEST", "WHEN", "POOL", "MODEL", "ENDPOINT", "TOOK"]] + rows).joined(separator: "\n")
    }

    private init(decision: DecisionRecord) {
        self.decision = decision
    }

    private mutating func write() {
        writeHead()
        let trace = decision.trace
        var left = Array(trace.endpoints.indices)
        var removals: [Int: String] = [:]
        write(trace.commonSteps, left: &left, removals: &removals)
        for run in trace.runs { write(run, left: left, removals: removals) }
        for (id, faults) in decision.faults.sorted(by: { $0.key < $1.key }) { write(faults, of: id) }
        if !decision.cordoned.isEmpty {
            lines.append("draining: \(decision.cordoned.map(\.description).joined(separator: ", "))")
        }
        if let rejection = decision.rejection {
            lines.append("refused: \(rejection.reason.rawValue): \(rejection.message)")
        }
        if let first = decision.picked.first {
            let rest = decision.picked.dropFirst().map(\.description).joined(separator: ", ")
            lines.append("picked: \(first)\(rest.isEmpty ? "" : ", then \(rest)")")
        }
    }

    private mutating func write(_ faults: [String: [ScrapeFault]], of id: EndpointID) {
        let texts = faults.sorted { $0.key < $1.key }.flatMap { source, faults in
            faults.map { $0.text(source: source) }
        }
        lines.append("metrics of \(id): \(texts.joined(separator: ", "))")
    }

    private mutating func writeHead() {
        let rewritten = decision.targetModel == decision.model ? "" : " → \(decision.targetModel)"
        let objective = decision.objective.isEmpty ? "" : " (\(decision.objective))"
        let attempt = decision.attempt == 0 ? "" : ", attempt \(decision.attempt + 1)"
        let waited = decision.waited.map { "waited \(Self.fixed($0.fractionalSeconds * 1_000, digits: 1)) ms, " } ?? ""
        lines.append("request \(decision.requestID)\(attempt)")
        lines.append(
            "model \(decision.model.isEmpty ? "-" : decision.model)\(rewritten), pool \(decision.pool), "
                + "priority \(decision.priority)\(objective), about \(decision.inputTokens) prompt tokens, "
                + waited + "decided in \(Self.microseconds(decision.nanoseconds))"
        )
        if !decision.tried.isEmpty {
            lines.append("tried before: \(decision.tried.map(\.description).joined(separator: ", "))")
        }
    }

    private mutating func write(
        _ steps: [SchedulingTrace.Step],
        left: inout [Int],
        removals: inout [Int: String]
    ) {
        for step in steps where step.stage != .scorer {
            let removed = step.removed(from: &left)
            for position in removed { removals[position] = step.name }
            var line = "  \(step.stage.rawValue) \(step.name), \(Self.microseconds(step.nanoseconds))"
            if !removed.isEmpty { line += ", removed \(removed.count)" }
            if let rule = step.rule { line += ": \(rule)" }
            lines.append(line)
        }
    }

    private mutating func write(_ run: SchedulingTrace.ProfileRun, left: [Int], removals: [Int: String]) {
        let serves = run.profile == decision.servingProfile ? ", which serves the request" : ""
        lines.append("profile \(run.profile)\(serves)")
        var left = left
        var removals = removals
        write(run.steps, left: &left, removals: &removals)
        let scorers = run.steps.filter { $0.stage == .scorer }
        let picked = Set(run.picks.map { run.scored[$0] })
        var rows = [["", "ENDPOINT", "QUEUE", "RUNNING", "KV", "AGE"]]
        for scorer in scorers {
            rows[0].append("\(scorer.name) ×\(Self.number(scorer.weight)) (\(Self.microseconds(scorer.nanoseconds)))")
        }
        rows[0].append("TOTAL")
        let places = run.scored.indices.sorted { (run.sums[$0], $1) > (run.sums[$1], $0) }
        for place in places {
            var row = state(of: run.scored[place], isPicked: picked.contains(run.scored[place]))
            row += scorers.map { Self.fixed(Double($0.scores[place]), digits: 3) }
            rows.append(row + [Self.fixed(Double(run.sums[place]), digits: 3)])
        }
        for position in removals.keys.sorted() where !run.scored.contains(position) {
            rows.append(state(of: position, isPicked: false) + ["removed by \(removals[position] ?? "")"])
        }
        lines += Self.aligned(rows).map { "  \($0)" }
    }

    private func state(of position: Int, isPicked: Bool) -> [String] {
        let endpoint = decision.trace.endpoints[position]
        let age = endpoint.metricsAge(at: decision.begunAt).map { "\(Int($0.fractionalSeconds * 1_000)) ms" } ?? "never"
        return [
            isPicked ? "*" : "", endpoint.id.name, "\(endpoint.metrics.waitingQueueSize)",
            "\(endpoint.metrics.runningRequests)", "\(Self.fixed(endpoint.metrics.kvCacheUsage * 100, digits: 0)) %",
            age,
        ]
    }

    // MARK: - Text

    /// The rows as lines whose columns stand under each other.
    private static func aligned(_ rows: [[String]]) -> [String] {
        var widths: [Int] = []
        for row in rows {
            for (column, cell) in row.dropLast().enumerated() {
                if column == widths.count { widths.append(0) }
                widths[column] = max(widths[column], cell.count)
            }
        }
        return rows.map { row in
            row.enumerated().map { column, cell in
                column == row.count - 1
                    ? cell : cell + String(repeating: " ", count: widths[column] - cell.count)
            }.joined(separator: "  ")
        }
    }

    private static func microseconds(_ nanoseconds: Int64) -> String {
        "\(fixed(Double(nanoseconds) / 1_000, digits: 1)) µs"
    }

    /// A whole number without a point where it is one.
    private static func number(_ value: Double) -> String {
        Int(exactly: value).map(String.init) ?? "\(value)"
    }

    /// A number with as many digits behind the point; what is no number, or too large for a table, as it is.
    private static func fixed(_ value: Double, digits: Int) -> String {
        let scale = (0..<digits).reduce(1.0) { power, _ in power * 10 }
        guard let scaled = Int(exactly: (value * scale).rounded()) else { return "\(value)" }
        guard digits > 0 else { return "\(scaled)" }
        let magnitude = String(scaled.magnitude)
        let padded = String(repeating: "0", count: max(0, digits + 1 - magnitude.count)) + magnitude
        return (scaled < 0 ? "-" : "") + padded.dropLast(digits) + "." + padded.suffix(digits)
    }
}
