package import GatewayCore

/// When one endpoint is asked next. A pure value: the caller passes the time.
///
/// Due times stand on a grid of the interval, whose phase is the endpoint's own, so that a hundred endpoints are asked
/// evenly over the interval rather than all at once. A slow answer skips grid points: questions never pile up.
package struct ScrapeSchedule: Sendable {
    /// What came of a question.
    package enum Answer: Sendable {
        /// An answer, or none in time: ask again at the usual pace.
        case answered
        /// Nobody listens: ask more slowly, up to the limit.
        case unreachable
        /// There is no such page: ask at the slow pace.
        case missing
    }

    /// When to ask next.
    package private(set) var nextDue: MonotonicInstant
    private let origin: MonotonicInstant
    private let interval: Duration
    private let unreachableInterval: Duration
    private let missingInterval: Duration
    private var unreachableInARow = 0

    /// A schedule that begins within one interval from `now`.
    ///
    /// - Parameters:
    ///   - slot: the endpoint's slot, from which its phase follows.
    ///   - now: the beginning.
    ///   - interval: the usual pace; less than 1 ms counts as that.
    ///   - unreachableInterval: the slowest pace while nobody listens.
    ///   - missingInterval: the pace while the page does not exist.
    package init(
        slot: Int,
        now: MonotonicInstant,
        interval: Duration,
        unreachableInterval: Duration,
        missingInterval: Duration
    ) {
        self.interval = max(interval, .milliseconds(1))
        self.unreachableInterval = max(unreachableInterval, .milliseconds(1))
        self.missingInterval = max(missingInterval, .milliseconds(1))
        origin = now.advanced(by: .nanoseconds(Self.phase(slot: slot, of: self.interval.wholeNanoseconds)))
        nextDue = origin
    }

    /// Plans the next question after the one that was due at ``nextDue`` ended at `now`.
    package mutating func finished(_ answer: Answer, at now: MonotonicInstant) {
        switch answer {
        case .answered:
            unreachableInARow = 0
            nextDue = gridPoint(notBefore: max(nextDue.advanced(by: interval), now))
        case .missing:
            unreachableInARow = 0
            nextDue = max(nextDue.advanced(by: missingInterval), now)
        case .unreachable:
            let doublings = min(unreachableInARow, 20)
            unreachableInARow += 1
            nextDue = max(nextDue.advanced(by: min(interval * (1 << doublings), unreachableInterval)), now)
        }
    }

    private func gridPoint(notBefore instant: MonotonicInstant) -> MonotonicInstant {
        let step = interval.wholeNanoseconds
        let behind = instant.since(origin).wholeNanoseconds % step
        return behind <= 0 ? instant : instant.advanced(by: .nanoseconds(step - behind))
    }

    /// The fractional parts of the multiples of the golden ratio: however many slots there are, they lie evenly.
    private static func phase(slot: Int, of step: Int64) -> Int64 {
        // 0x9E37… is the golden ratio's fraction of 2^64.
        let fraction = UInt64(truncatingIfNeeded: slot) &* 0x9E37_79B9_7F4A_7C15
        return Int64(UInt64(step).multipliedFullWidth(by: fraction).high)
    }
}
