/// The instruments of traces.
package struct TraceMetrics: Sendable {
    /// Spans that the collector has taken.
    package let exported: Counter
    /// Spans that nobody was sent, because the queue was full or the process ended.
    package let dropped: Counter
    /// Spans that the collector did not take.
    package let failed: Counter

    /// Registers the family.
    package init(registry: MetricRegistry) throws(MetricRegistrationError) {
        let spans = try registry.counters(MetricCatalogue.Tracing.spans)
        exported = spans.child("exported")
        dropped = spans.child("dropped")
        failed = spans.child("failed")
    }
}
