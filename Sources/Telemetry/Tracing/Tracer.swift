/// Begins traces, or takes part in those of others, and hands over the spans of what is recorded. Safe from any thread.
package final class Tracer: Sendable {
    /// Decides which traces are recorded.
    package let sampler: Sampler
    /// Where the spans go.
    package let buffer: SpanBuffer
    private let wallClock: @Sendable () -> Int64

    /// Makes a tracer.
    ///
    /// - Parameters:
    ///   - sampler: decides which traces are recorded.
    ///   - buffer: where the spans go.
    ///   - wallClock: the nanoseconds since 1970 (UTC). Asked once for each recorded request.
    package init(sampler: Sampler, buffer: SpanBuffer, wallClock: @escaping @Sendable () -> Int64) {
        self.sampler = sampler
        self.buffer = buffer
        self.wallClock = wallClock
    }

    /// The nanoseconds since 1970 (UTC).
    package func unixNanoseconds() -> Int64 { wallClock() }

    /// Begins the first span of this process for a request.
    ///
    /// - Parameters:
    ///   - parent: what the request says of its place in a trace; `nil` when it says nothing that can be used.
    ///   - generator: where ids are drawn from.
    package func begin(under parent: TraceContext?, using generator: inout some RandomNumberGenerator) -> TraceContext {
        guard let parent else {
            let context = TraceContext(isSampled: false, using: &generator)
            return context.sampled(sampler.isSampled(parent: nil, traceIDLow: context.traceIDLow))
        }
        return parent.child(using: &generator)
            .sampled(sampler.isSampled(parent: parent, traceIDLow: parent.traceIDLow))
    }
}
