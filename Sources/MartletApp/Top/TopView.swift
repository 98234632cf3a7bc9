/// What the table shows: the last sample, what came of those before, and what the user chose. A plain value, changed by
/// samples and keys.
struct TopView {
    /// The last values of an endpoint, the newest at the end.
    struct History {
        static let lengthMax = 40

        private(set) var waiting: [Double] = []
        private(set) var running: [Double] = []
        private(set) var kvUsage: [Double] = []

        mutating func add(_ endpoint: TopSample.Endpoint) {
            Self.add(endpoint.waiting, to: &waiting)
            Self.add(endpoint.running, to: &running)
            Self.add(endpoint.kvUsage, to: &kvUsage)
        }

        static func add(_ value: Double, to values: inout [Double]) {
            values.append(value)
            if values.count > lengthMax { values.removeFirst(values.count - lengthMax) }
        }
    }

    /// What happened between two samples.
    struct Rates {
        var requestsPerSecond: Double
        var errorsPerSecond: Double
        var medianFirstToken: Double?
        var lateFirstToken: Double?
    }

    /// A key that was pressed.
    enum Key: Equatable {
        case character(Character)
        case enter, escape, backspace
        /// Ctrl-C, which ends the table whatever is being typed.
        case interrupt
        case up, down, pageUp, pageDown, home, end
    }

    private(set) var sample: TopSample?
    private(set) var histories: [String: History] = [:]
    private(set) var rateHistory: [Double] = []
    private(set) var rates: Rates?
    /// Why the last question had no answer; `nil` when it had.
    var fault: String?
    var sort: TopOptions.Sort
    /// The pool that is shown; `nil` for all.
    var pool: String?
    private(set) var filter = ""
    private(set) var isTypingFilter = false
    /// The first row that is shown.
    private(set) var scroll = 0
    private(set) var isOver = false

    init(sort: TopOptions.Sort, pool: String?) {
        self.sort = sort
        self.pool = pool
    }

    /// Takes a sample that came `seconds` after the one before.
    mutating func take(_ new: TopSample, after seconds: Double) {
        if let old = sample, seconds > 0, new.counters.requests >= old.counters.requests {
            let rate = (new.counters.requests - old.counters.requests) / seconds
            let times = Self.difference(new.counters.timesToFirstToken, old.counters.timesToFirstToken)
            rates = Rates(
                requestsPerSecond: rate,
                errorsPerSecond: max(0, new.counters.errors - old.counters.errors) / seconds,
                medianFirstToken: Self.quantile(0.5, times),
                lateFirstToken: Self.quantile(0.99, times)
            )
            History.add(rate, to: &rateHistory)
        } else {
            let times = new.counters.timesToFirstToken
            rates = nil
            rateHistory = []
            firstTokens = (Self.quantile(0.5, times), Self.quantile(0.99, times))
        }
        var kept: [String: History] = [:]
        for endpoint in new.pools.flatMap(\.endpoints) {
            let key = Self.key(endpoint)
            var history = histories[key] ?? History()
            history.add(endpoint)
            kept[key] = history
        }
        histories = kept
        sample = new
        fault = nil
    }

    /// The times to first token since the gateway's start, for the first sample.
    private(set) var firstTokens: (median: Double?, late: Double?) = (nil, nil)

    static func key(_ endpoint: TopSample.Endpoint) -> String { "\(endpoint.pool) \(endpoint.name)" }

    /// The pools that are shown.
    var pools: [TopSample.Pool] {
        let all = sample?.pools ?? []
        guard let pool else { return all }
        return all.filter { $0.name == pool }
    }

    /// The endpoints that are shown, in their order.
    var rows: [TopSample.Endpoint] {
        let wanted = filter.lowercased()
        let all = pools.flatMap(\.endpoints).filter { endpoint in
            wanted.isEmpty
                || [endpoint.name, endpoint.address, endpoint.state].contains { $0.lowercased().contains(wanted) }
        }
        func value(_ endpoint: TopSample.Endpoint) -> Double {
            switch sort {
            case .name: 0
            case .waiting: endpoint.waiting
            case .running: endpoint.running
            case .kv: endpoint.kvUsage
            case .flight: endpoint.inFlight
            }
        }
        return all.sorted { one, other in
            let (first, second) = (value(one), value(other))
            return first == second ? (one.pool, one.name) < (other.pool, other.name) : first > second
        }
    }

    /// Holds the scrolling within the rows.
    mutating func hold(visibleRows: Int) {
        scroll = max(0, min(scroll, rows.count - visibleRows))
    }

    /// Does what a key asks for.
    mutating func press(_ key: Key, visibleRows: Int) {
        if isTypingFilter, key != .interrupt {
            switch key {
            case .enter: isTypingFilter = false
            case .escape:
                isTypingFilter = false
                filter = ""
            case .backspace: if !filter.isEmpty { filter.removeLast() }
            case .character(let character): if filter.count < 64 { filter.append(character) }
            default: break
            }
        } else {
            command(key, visibleRows: visibleRows)
        }
        hold(visibleRows: visibleRows)
    }

    private mutating func command(_ key: Key, visibleRows: Int) {
        switch key {
        case .character("q"), .interrupt: isOver = true
        case .character("n"): sort = .name
        case .character("w"): sort = .waiting
        case .character("r"): sort = .running
        case .character("k"): sort = .kv
        case .character("f"): sort = .flight
        case .character("p"): nextPool()
        case .character("/"): isTypingFilter = true
        case .escape: filter = ""
        case .up: scroll -= 1
        case .down: scroll += 1
        case .pageUp: scroll -= visibleRows
        case .pageDown, .character(" "): scroll += visibleRows
        case .home: scroll = 0
        case .end: scroll = rows.count
        case .character, .enter, .backspace: break
        }
    }

    /// All pools, then each by itself.
    private mutating func nextPool() {
        let names = (sample?.pools ?? []).map(\.name)
        guard let pool else {
            self.pool = names.first
            return
        }
        let next = (names.firstIndex(of: pool) ?? names.count) + 1
        self.pool = next < names.count ? names[next] : nil
    }

    private static func difference(
        _ new: [(bound: Double, count: Double)],
        _ old: [(bound: Double, count: Double)]
    ) -> [(bound: Double, count: Double)] {
        let before = Dictionary(old.map { ($0.bound, $0.count) }, uniquingKeysWith: { first, _ in first })
        return new.map { ($0.bound, $0.count - (before[$0.bound] ?? 0)) }
    }

    /// A quantile of a histogram, interpolated within its bucket; `nil` without values.
    static func quantile(_ fraction: Double, _ buckets: [(bound: Double, count: Double)]) -> Double? {
        guard let all = buckets.last?.count, all > 0 else { return nil }
        let rank = fraction * all
        var (lowBound, lowCount) = (0.0, 0.0)
        for bucket in buckets {
            if bucket.count >= rank, bucket.count > lowCount {
                // Of a bucket without an end only its beginning is known.
                if !bucket.bound.isFinite { return lowBound }
                return lowBound + (bucket.bound - lowBound) * (rank - lowCount) / (bucket.count - lowCount)
            }
            if bucket.bound.isFinite { lowBound = bucket.bound }
            lowCount = bucket.count
        }
        return lowBound
    }
}
