/// How long to wait before the next try: after each failure twice as long as after the one before, up to a limit, and
/// shortened by chance by up to half, so that clients that failed together do not come back together.
struct Backoff: Sendable {
    private let initial: Duration
    private let maximum: Duration
    private var failures = 0

    /// The longest wait that a server may ask for. One that asks for more is asked again after this time.
    static let longestRetryAfter = Duration.seconds(60)

    init(initial: Duration, maximum: Duration) {
        self.initial = initial
        self.maximum = max(initial, maximum)
    }

    /// The wait after one more failure; at least as long as the server asked for.
    mutating func next(retryAfter: Duration? = nil, using random: inout some RandomNumberGenerator) -> Duration {
        // 2^16 times the first wait is beyond any limit that makes sense.
        let full = min(maximum, initial * (1 << min(failures, 16)))
        failures += 1
        let wait = full * Double.random(in: 0.5...1, using: &random)
        return max(wait, min(retryAfter ?? .zero, Self.longestRetryAfter))
    }

    /// The next failure is the first one again.
    mutating func reset() {
        failures = 0
    }
}

/// The time since this was made, by one clock.
struct Stopwatch: Sendable {
    private let read: @Sendable () -> Duration

    init(_ clock: some Clock<Duration>) {
        let start = clock.now
        read = { start.duration(to: clock.now) }
    }

    /// The time.
    var elapsed: Duration { read() }
}
