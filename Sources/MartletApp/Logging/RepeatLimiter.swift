import GatewayCore

/// Decides which of many like events get a line of their own: of each kind the first few, and then, for as long as it
/// goes on, one line an interval that says how many more there were.
///
/// A value over a clock of the caller's. The kinds that are told apart are bounded; those beyond share one count.
struct RepeatLimiter<Kind: Hashable & Sendable>: Sendable {
    /// How many there were of a kind that got no line.
    struct Rest: Hashable, Sendable {
        /// The kind; `nil` for all kinds that are not told apart.
        let kind: Kind?
        /// How many; at least 1.
        let count: Int
    }

    private struct Window {
        let begunAt: MonotonicInstant
        /// How many got a line of their own.
        var written: Int
        /// How many got none.
        var held = 0
    }

    private let burst: Int
    private let interval: Duration
    private let kindsMax: Int
    private var windows: [Kind: Window] = [:]
    /// That of the kinds that found no room; `nil` while there are none.
    private var others: Window?

    /// Makes a limiter.
    ///
    /// - Parameters:
    ///   - burst: how many of a kind get a line of their own; at least 1.
    ///   - interval: for how long a kind is remembered, and how often the rest of it is told.
    ///   - kindsMax: how many kinds are told apart; at least 1.
    init(burst: Int = 5, interval: Duration = .seconds(10), kindsMax: Int = 256) {
        self.burst = burst
        self.interval = interval
        self.kindsMax = kindsMax
    }

    /// Whether an event of `kind` gets a line of its own. If not, ``rests(at:)`` will tell of it.
    mutating func admits(_ kind: Kind, at now: MonotonicInstant) -> Bool {
        if windows[kind] != nil || windows.count < kindsMax { return admits(&windows[kind], at: now) }
        return admits(&others, at: now)
    }

    /// What was held back of the kinds whose interval is over.
    mutating func rests(at now: MonotonicInstant) -> [Rest] {
        var rests: [Rest] = []
        for (kind, window) in windows where isOver(window, at: now) {
            if window.held > 0 { rests.append(Rest(kind: kind, count: window.held)) }
            windows[kind] = next(window, at: now)
        }
        if let window = others, isOver(window, at: now) {
            if window.held > 0 { rests.append(Rest(kind: nil, count: window.held)) }
            others = next(window, at: now)
        }
        return rests
    }

    /// Everything that was held back and not told, whatever its interval; nothing is remembered.
    mutating func allRests() -> [Rest] {
        var rests = windows.compactMap { $0.value.held > 0 ? Rest(kind: $0.key, count: $0.value.held) : nil }
        if let others, others.held > 0 { rests.append(Rest(kind: nil, count: others.held)) }
        windows = [:]
        others = nil
        return rests
    }

    private func admits(_ window: inout Window?, at now: MonotonicInstant) -> Bool {
        // A window that held something back goes on until that was told.
        guard var present = window, present.held > 0 || !isOver(present, at: now) else {
            window = Window(begunAt: now, written: 1)
            return true
        }
        defer { window = present }
        if present.written < burst {
            present.written += 1
            return true
        }
        present.held += 1
        return false
    }

    private func isOver(_ window: Window, at now: MonotonicInstant) -> Bool {
        now.since(window.begunAt) >= interval
    }

    /// The window behind one that is over: a kind that goes on stays held back, one that was quiet is forgotten.
    private func next(_ window: Window, at now: MonotonicInstant) -> Window? {
        window.held > 0 ? Window(begunAt: now, written: burst) : nil
    }
}
