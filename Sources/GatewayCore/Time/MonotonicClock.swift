/// A point of the gateway's monotonic time line: nanoseconds since an arbitrary origin that is fixed for the process.
///
/// Instants of different clocks must not be compared.
public struct MonotonicInstant: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Nanoseconds since the clock's origin.
    public let nanoseconds: Int64

    /// Makes an instant from nanoseconds since the clock's origin.
    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// The time from `earlier` to this instant; negative when `earlier` is later. Saturates instead of overflowing.
    public func since(_ earlier: MonotonicInstant) -> Duration {
        let (difference, overflow) = nanoseconds.subtractingReportingOverflow(earlier.nanoseconds)
        return .nanoseconds(overflow ? (nanoseconds > 0 ? .max : .min) : difference)
    }

    /// This instant moved by `duration`. Saturates instead of overflowing.
    public func advanced(by duration: Duration) -> MonotonicInstant {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(duration.wholeNanoseconds)
        return MonotonicInstant(nanoseconds: overflow ? (nanoseconds > 0 ? .max : .min) : sum)
    }

    public static func < (left: MonotonicInstant, right: MonotonicInstant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    public var description: String { "+\(Double(nanoseconds) / 1e9)s" }
}

extension Duration {
    /// This duration in whole nanoseconds, saturated to the range of `Int64` (about 292 years).
    public var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds > 0 ? .max : .min }
        let (sum, sumOverflow) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return sumOverflow ? (seconds > 0 ? .max : .min) : sum
    }

    /// This duration in seconds.
    public var fractionalSeconds: Double { Double(wholeNanoseconds) / 1e9 }
}

/// The one source of time for everything that is not a socket.
///
/// Production uses ``SystemMonotonicClock``; tests and the simulator step a manual one. `now` is called several times
/// per request and from any thread, so it must be cheap and must never go backwards.
public protocol MonotonicClock: Sendable {
    /// The present instant.
    var now: MonotonicInstant { get }

    /// Waits until `deadline`. Throws `CancellationError` when the task is cancelled first.
    func sleep(until deadline: MonotonicInstant) async throws
}

/// The machine's monotonic clock (`ContinuousClock`), with its origin at the creation of the value.
public struct SystemMonotonicClock: MonotonicClock {
    private let origin: ContinuousClock.Instant

    /// Makes a clock whose origin is now.
    public init() {
        origin = ContinuousClock.now
    }

    /// Nanoseconds since the value was made.
    public var now: MonotonicInstant {
        MonotonicInstant(nanoseconds: origin.duration(to: ContinuousClock.now).wholeNanoseconds)
    }

    /// Waits by the machine's clock. Throws `CancellationError` when the task is cancelled first.
    public func sleep(until deadline: MonotonicInstant) async throws {
        try await ContinuousClock().sleep(until: origin.advanced(by: .nanoseconds(deadline.nanoseconds)))
    }
}
