extension MetricCatalogue {
    /// The gRPC streams of ext_proc.
    enum Streams {
        private static let counted = MetricPresence.flag("enable-grpc-stream-metrics")

        static let inFlight = compatible(
            "extproc_streams_inflight", .gauge, help: "Streams of ext_proc that are open.", presence: counted
        )
        static let duration = compatible(
            "extproc_stream_duration_seconds", .histogram, .seconds, buckets: Buckets.streamSeconds,
            help: "Time from the start of a stream of ext_proc to its end.", presence: counted
        )
        static let total = compatible(
            "extproc_streams_total", .counter, labels: ["code"],
            help: "Streams of ext_proc that ended, by the gRPC code of the end.", presence: counted
        )

        static let all = [inFlight, duration, total]
    }
}
