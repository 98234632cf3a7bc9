import LoadGenerator

/// Draws a view as lines of text: the same view gives the same lines.
struct TopFrame {
    /// How large the terminal is, and whether it has colours.
    struct Screen: Equatable {
        var columns: Int
        /// `nil` for as many as are needed.
        var rows: Int?
        var hasColour: Bool
    }

    /// The lines above and below the endpoints.
    static let otherLines = 5

    let view: TopView
    let screen: Screen
    let admin: String

    /// How many endpoints fit.
    static func visibleRows(_ screen: Screen) -> Int {
        screen.rows.map { max(1, $0 - otherLines) } ?? .max
    }

    /// The lines, none longer than the screen.
    var lines: [String] {
        let rows = view.rows
        let columns = self.columns(rows)
        var lines = [styled(fitted(title), .bold), totals, poolLine, styled(fitted(heading(columns)), .inverse)]
        let visible = Self.visibleRows(screen)
        let start = min(view.scroll, max(0, rows.count - 1))
        for row in rows.dropFirst(start).prefix(visible) { lines.append(line(row, columns)) }
        guard let height = screen.rows else {
            if let fault = view.fault { lines.append(styled(fitted(fault), .red)) }
            return lines
        }
        while lines.count < height - 1 { lines.append("") }
        lines = Array(lines.prefix(max(1, height - 1)))
        lines.append(foot(rows.count, visible))
        return lines
    }

    // MARK: Lines

    private var title: String {
        guard let sample = view.sample else { return "martlet top  \(admin)" }
        let draining = sample.isDraining ? "  DRAINING" : ""
        return "martlet \(sample.version)  up \(Self.time(sample.uptimeSeconds))\(draining)  \(admin)"
    }

    private var totals: String {
        let shown = view.pools.flatMap(\.endpoints)
        var parts: [String] = []
        if let rates = view.rates {
            parts.append("req/s \(rates.requestsPerSecond.fixed(1)) \(Self.sparkline(view.rateHistory, width: 10))")
            if rates.errorsPerSecond > 0 { parts.append("errors/s \(rates.errorsPerSecond.fixed(1))") }
        } else if let sample = view.sample {
            parts.append("requests \(sample.counters.requests.fixed(0)), errors \(sample.counters.errors.fixed(0))")
        }
        parts.append("in flight \(shown.reduce(0) { $0 + $1.inFlight }.fixed(0))")
        parts.append("waiting \(shown.reduce(0) { $0 + $1.waiting }.fixed(0))")
        let median = view.rates.map(\.medianFirstToken) ?? view.firstTokens.median
        let late = view.rates.map(\.lateFirstToken) ?? view.firstTokens.late
        parts.append("TTFT p50 \(Self.milliseconds(median)) p99 \(Self.milliseconds(late))")
        return fitted(parts.joined(separator: "  "))
    }

    private var poolLine: String {
        let pools = view.pools
        if pools.isEmpty { return fitted(view.pool.map { "pool \($0): there is none" } ?? "no pools") }
        if pools.count > 1 {
            let endpoints = pools.reduce(0) { $0 + $1.endpoints.count }
            let available = pools.reduce(0) { $0 + $1.available }
            return fitted("\(pools.count) pools: \(endpoints) endpoints, \(available) available")
        }
        var text = "pool \(pools[0].name): \(pools[0].endpoints.count) endpoints, \(pools[0].available) available"
        if let saturation = pools[0].saturation {
            text += ", queued \(pools[0].queued.fixed(0)), saturation \((saturation * 100).fixed(0)) %"
        }
        return fitted(text)
    }

    private func foot(_ count: Int, _ visible: Int) -> String {
        if view.isTypingFilter { return fitted("filter: \(view.filter)_  (enter keeps it, escape drops it)") }
        if let fault = view.fault { return styled(fitted(fault), .red) }
        var text = "q quit  sort: n name w waiting r running k kv f flight  p pool  / filter"
        if !view.filter.isEmpty { text = "filter '\(view.filter)', escape drops it  " + text }
        if count > visible {
            let first = min(view.scroll, max(0, count - 1)) + 1
            text = "\(first)-\(min(count, first + visible - 1)) of \(count)  " + text
        }
        return styled(fitted(text), .dim)
    }

    // MARK: Columns

    private enum Column: CaseIterable {
        case name, state, waiting, running, kv, flight, runningHistory, waitingHistory, kvHistory, age, address,
            adapters

        /// From the one that is given up last to the first.
        static let byImportance: [Column] = [
            .name, .running, .waiting, .kv, .state, .flight, .runningHistory, .waitingHistory, .kvHistory, .age,
            .address, .adapters,
        ]

        var title: String {
            switch self {
            case .name: "ENDPOINT"
            case .state: "STATE"
            case .waiting: "WAIT"
            case .running: "RUN"
            case .kv: "KV%"
            case .flight: "FLIGHT"
            case .runningHistory: "RUNNING"
            case .waitingHistory: "WAITING"
            case .kvHistory: "KV USE"
            case .age: "AGE"
            case .address: "ADDRESS"
            case .adapters: "ADAPTERS"
            }
        }

        var width: Int {
            switch self {
            case .name: 10
            case .state: 8
            case .waiting, .running, .kv: 4
            case .flight, .age: 6
            case .runningHistory, .waitingHistory, .kvHistory: 10
            case .address: 21
            case .adapters: 24
            }
        }

        var isNumber: Bool {
            switch self {
            case .waiting, .running, .kv, .flight, .age: true
            default: false
            }
        }
    }

    private struct Placed {
        let column: Column
        var width: Int
    }

    /// The columns that fit; the name gets what is left.
    private func columns(_ rows: [TopSample.Endpoint]) -> [Placed] {
        let isPlain = screen.rows == nil
        var left = screen.columns
        var chosen: Set<Column> = []
        for column in Column.byImportance {
            // A single table has no history to show.
            if isPlain, [.runningHistory, .waitingHistory, .kvHistory].contains(column) { continue }
            if column == .adapters, rows.allSatisfy(\.adapters.isEmpty) { continue }
            let needed = column.width + (chosen.isEmpty ? 0 : 1)
            guard needed <= left else { break }
            chosen.insert(column)
            left -= needed
        }
        let longest = rows.map { shownName($0).count }.max() ?? 0
        return Column.allCases.filter(chosen.contains).map { column in
            guard column == .name else { return Placed(column: column, width: column.width) }
            return Placed(column: column, width: min(column.width + left, max(column.width, longest)))
        }
    }

    private func shownName(_ endpoint: TopSample.Endpoint) -> String {
        view.pools.count > 1 ? "\(endpoint.pool)/\(endpoint.name)" : endpoint.name
    }

    private func heading(_ columns: [Placed]) -> String {
        let sorted: Column =
            switch view.sort {
            case .name: .name
            case .waiting: .waiting
            case .running: .running
            case .kv: .kv
            case .flight: .flight
            }
        return columns.map { placed in
            let title = placed.column.title
            // The sorted column is marked where there is room for it.
            let isMarked = placed.column == sorted && title.count < placed.width
            return Self.cell(isMarked ? title + "▾" : title, placed)
        }.joined(separator: " ").filled(to: screen.rows == nil ? 0 : screen.columns)
    }

    private func line(_ row: TopSample.Endpoint, _ columns: [Placed]) -> String {
        let history = view.histories[TopView.key(row)] ?? TopView.History()
        var cells: [String] = []
        for placed in columns {
            let text: String
            switch placed.column {
            case .name: text = shownName(row)
            case .state: text = row.state
            case .waiting: text = row.waiting.fixed(0)
            case .running: text = row.running.fixed(0)
            case .kv: text = (row.kvUsage * 100).fixed(0)
            case .flight: text = row.inFlight.fixed(0)
            case .runningHistory: text = Self.sparkline(history.running, width: placed.width)
            case .waitingHistory: text = Self.sparkline(history.waiting, width: placed.width)
            case .kvHistory: text = Self.sparkline(history.kvUsage, width: placed.width, top: 1)
            case .age: text = row.age.map { Self.time($0) } ?? "-"
            case .address: text = row.address
            case .adapters: text = row.adapters.joined(separator: ",")
            }
            let cell = Self.cell(text, placed)
            cells.append(placed.column == .state && row.state != "ready" ? styled(cell, .red) : cell)
        }
        let line = cells.joined(separator: " ")
        return screen.rows == nil ? line.trimmedAtEnd : line
    }

    private static func cell(_ text: String, _ placed: Placed) -> String {
        let cut = text.count > placed.width ? text.prefix(max(0, placed.width - 1)) + "…" : text
        let space = String(repeating: " ", count: max(0, placed.width - cut.count))
        return placed.column.isNumber ? space + cut : cut + space
    }

    // MARK: Texts

    /// The last values as blocks of growing height; the highest stands for `top`, or for the greatest of them.
    static func sparkline(_ values: [Double], width: Int, top: Double? = nil) -> String {
        let blocks = Array("▁▂▃▄▅▆▇█")
        let shown = values.suffix(width)
        let most = top ?? shown.max() ?? 0
        return String(
            shown.map { value in
                if value <= 0 || most <= 0 { return blocks[0] }
                return blocks[Int(Double.minimum(1, value / most) * Double(blocks.count - 1) + 0.5)]
            }
        )
    }

    private static func time(_ seconds: Double) -> String {
        if seconds < 10 { return seconds.fixed(1) + "s" }
        let whole = Int(min(seconds, 1e9))
        if whole < 60 { return "\(whole)s" }
        if whole < 3_600 { return "\(whole / 60)m\(whole % 60)s" }
        return whole < 86_400 ? "\(whole / 3_600)h\(whole / 60 % 60)m" : "\(whole / 86_400)d\(whole / 3_600 % 24)h"
    }

    private static func milliseconds(_ seconds: Double?) -> String {
        seconds.map { ($0 * 1_000).fixed($0 < 0.01 ? 1 : 0) + " ms" } ?? "-"
    }

    private enum Style: String {
        case bold = "1"
        case dim = "2"
        case inverse = "7"
        case red = "31"
    }

    private func styled(_ text: String, _ style: Style) -> String {
        screen.hasColour && !text.isEmpty ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
    }

    private func fitted(_ text: String) -> String {
        text.count <= screen.columns ? text : String(text.prefix(max(0, screen.columns - 1))) + "…"
    }
}

extension String {
    fileprivate func filled(to length: Int) -> String {
        self + String(repeating: " ", count: max(0, length - count))
    }

    fileprivate var trimmedAtEnd: String {
        var text = self
        while text.last == " " { text.removeLast() }
        return text
    }
}
