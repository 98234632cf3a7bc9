/// A point of virtual time: nanoseconds since the engine began.
///
/// The engine reads no clock. Whoever drives it says what time it is, which is why a test can replay an hour in a
/// millisecond and get the same hour each time.
package struct SimulatedTime: Sendable, Hashable, Comparable {
    /// Nanoseconds since the engine began, never negative in an engine's answers.
    package var nanoseconds: Int64

    /// The beginning of virtual time.
    package static let zero = SimulatedTime(nanoseconds: 0)

    /// The end of virtual time, 292 years later; sums stop here instead of overflowing.
    package static let distantFuture = SimulatedTime(nanoseconds: .max)

    /// A point `nanoseconds` after the beginning.
    package init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// A point `duration` after the beginning; a duration beyond the range of Int64 nanoseconds becomes
    /// `distantFuture`.
    package init(_ duration: Duration) {
        self.nanoseconds = duration.wholeNanoseconds
    }

    /// This point moved by a duration, held inside the representable range.
    package static func + (time: SimulatedTime, duration: Duration) -> SimulatedTime {
        time.advanced(byNanoseconds: duration.wholeNanoseconds)
    }

    /// The duration from `start` to `end`, negative when `end` is the earlier one.
    package static func - (end: SimulatedTime, start: SimulatedTime) -> Duration {
        .nanoseconds(end.nanoseconds) - .nanoseconds(start.nanoseconds)
    }

    package static func < (left: SimulatedTime, right: SimulatedTime) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    func advanced(byNanoseconds delta: Int64) -> SimulatedTime {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(delta)
        guard overflow else {
            return SimulatedTime(nanoseconds: sum)
        }
        return delta > 0 ? .distantFuture : .zero
    }

    /// Seconds from `start` to this point.
    func seconds(since start: SimulatedTime) -> Double {
        Double(nanoseconds - start.nanoseconds) / 1e9
    }
}

extension Duration {
    /// The whole nanoseconds of the duration, held inside Int64.
    var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else {
            return seconds > 0 ? .max : .min
        }
        let (sum, sumOverflow) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        guard !sumOverflow else {
            return seconds > 0 ? .max : .min
        }
        return sum
    }
}
