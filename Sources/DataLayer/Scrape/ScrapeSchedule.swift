package import GatewayCore

/// When one endpoint is asked next. A pure value: the caller passes the time.
///
/// The first question is due at once. Later ones stand on a grid of the interval with one of eight phases, which
/// follows from the endpoint's slot: a hundred endpoints are asked in eight groups spread over the interval, and a few
/// in one. Not all at once, lest answers wait for each other; and not each at a moment of its own, since waking a
/// thread for every question costs several times the work itself. A slow answer skips grid points: questions never
/// pile up.
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

    /// How many groups the endpoints are asked in, at most.
    package static let groupCount = 8
    /// How many endpoints a group takes before the next one is begun; they all go on from there.
    package static let groupSize = 8

    /// When to ask next.
    package private(set) var nextDue: MonotonicInstant
    /// Nanoseconds from the clock's origin to the first grid point.
    private let phase: Int64
    private let interval: Duration
    private let unreachableInterval: Duration
    private let missingInterval: Duration
    private var unreachableInARow = 0

    /// A schedule whose first question is due now.
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
        phase = self.interval.wholeNanoseconds / Int64(Self.groupCount) * Self.group(slot: slot)
        nextDue = now
    }

    /// Plans the next question after the one that was due at ``nextDue`` ended at `now`.
    package mutating func finished(_ answer: Answer, at now: MonotonicInstant) {
        switch answer {
        case .answered:
            unreachableInARow = 0
            // One interval later, on the grid; at the next grid point when that has passed.
            let next = nextDue.advanced(by: interval)
            let planned = next.advanced(by: .nanoseconds(-distanceBehindGrid(next)))
            nextDue = planned >= now ? planned : gridPoint(notBefore: now)
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
        let behind = distanceBehindGrid(instant)
        return behind == 0 ? instant : instant.advanced(by: .nanoseconds(interval.wholeNanoseconds - behind))
    }

    /// Nanoseconds from the last grid point to `instant`.
    private func distanceBehindGrid(_ instant: MonotonicInstant) -> Int64 {
        let step = interval.wholeNanoseconds
        let remainder = (instant.nanoseconds % step - phase) % step
        return remainder < 0 ? remainder + step : remainder
    }

    /// Eight slots after the other fill a group. Each next group is due as far from those before it as can be: its
    /// number's three bits, reversed.
    private static func group(slot: Int) -> Int64 {
        let number = (slot / groupSize) % groupCount
        return Int64((number & 1) << 2 | number & 2 | number >> 2)
    }
}
