extension MetricCatalogue {
    /// Traces that are sent to a collector.
    enum Tracing {
        static let spans = own(
            "trace_spans_total", .counter, labels: ["result"],
            help: "Spans of traces: exported, dropped because the queue was full or the process ended, or failed "
                + "because the collector did not take them."
        )

        static let all = [spans]
    }
}
