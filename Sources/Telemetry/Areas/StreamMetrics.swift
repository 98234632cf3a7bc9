/// The instruments of ext_proc's gRPC streams.
package struct StreamMetrics: Sendable {
    /// Streams that are open.
    package let inFlight: Gauge
    /// Seconds from a stream's start to its end.
    package let duration: Histogram
    /// Streams that ended, by the text of the gRPC code.
    package let total: CounterFamily

    /// Registers the families.
    package init(registry: MetricRegistry) throws(MetricRegistrationError) {
        typealias Names = MetricCatalogue.Streams
        inFlight = try registry.gauge(Names.inFlight)
        duration = try registry.histogram(Names.duration)
        total = try registry.counters(Names.total)
    }
}
