/// The instrument of the process's logs.
package struct LogMetrics: Sendable {
    private let dropped: ObservedFamily

    /// Registers the family; `source` tells how many lines each log has lost.
    package init(
        registry: MetricRegistry,
        source: @escaping ObservedFamily.Source
    ) throws(MetricRegistrationError) {
        dropped = try registry.observed(MetricCatalogue.Logs.dropped, source)
    }
}
