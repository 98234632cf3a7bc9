#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// One observation with the trace in which it was made, so that a slow bucket leads to a slow request.
struct Exemplar: Sendable, Hashable {
    /// The trace and the span that the request came with.
    let trace: TraceContext
    /// What was observed.
    let value: Double
    /// When, in milliseconds since 1970.
    let milliseconds: Int64
}

/// The exemplar of one bucket.
struct BucketExemplar: Sendable, Hashable {
    let bucket: Int
    var exemplar: Exemplar
}

/// The time of day, which only exemplars need: everything else is measured by a monotonic clock.
enum WallClock {
    /// Milliseconds since 1970.
    static func milliseconds() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1_000 + Int64(now.tv_nsec) / 1_000_000
    }
}
