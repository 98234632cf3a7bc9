extension MetricCatalogue {
    /// The logs of the process.
    enum Logs {
        static let dropped = own(
            "log_lines_dropped_total", .counter, labels: ["log"],
            help: "Log lines that were lost because the place they go to did not take them, or not in time."
        )

        static let all = [dropped]
    }
}
