import GatewayCore

/// How fast requests leave a queue to be served: a count per second over the last ten.
struct DrainRate {
    private static let seconds = 10

    /// By second modulo ``seconds``.
    private var counts = [Int](repeating: 0, count: seconds)
    /// The second that counts now.
    private var second: Int64 = 0
    private var firstSecond: Int64?

    /// A request left at `now`.
    mutating func note(at now: MonotonicInstant) {
        advance(to: now)
        counts[place(second)] += 1
    }

    /// Requests per second; 0 when none left.
    mutating func rate(at now: MonotonicInstant) -> Double {
        advance(to: now)
        guard let firstSecond else { return 0 }
        let span = min(Int64(Self.seconds), second - firstSecond + 1)
        return Double(counts.reduce(0, +)) / Double(span)
    }

    private mutating func advance(to now: MonotonicInstant) {
        let present = now.nanoseconds / 1_000_000_000
        guard let first = firstSecond, present >= first else {
            firstSecond = present
            second = present
            return
        }
        // All seconds that passed without a request count nothing; after a whole round, none is left.
        let passed = min(present - second, Int64(Self.seconds))
        if passed > 0 {
            for offset in 0..<passed { counts[place(present - offset)] = 0 }
        }
        second = max(second, present)
    }

    private func place(_ second: Int64) -> Int { Int(second % Int64(Self.seconds)) }
}
