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

    /// The seconds from `earlier` to this instant; negative when `earlier` is later. For what is counted for each piece
    /// of a response: it takes a few instructions where a `Duration` takes hundreds.
    public func seconds(since earlier: MonotonicInstant) -> Double {
        Double(nanoseconds &- earlier.nanoseconds) / 1e9
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
        let attoseconds = attoseconds
        let magnitude = attoseconds.magnitude
        let high = UInt64(truncatingIfNeeded: magnitude &>> 64)
        // One machine instruction divides as long as the result fits, which a division of 128 bits does not know.
        guard high < 500_000_000 else { return attoseconds > 0 ? .max : .min }
        let low = UInt64(truncatingIfNeeded: magnitude)
        let whole = Int64(UInt64(1_000_000_000).dividingFullWidth((high, low)).quotient)
        return attoseconds < 0 ? -whole : whole
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
