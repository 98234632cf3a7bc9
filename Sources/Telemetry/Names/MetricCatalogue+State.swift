extension MetricCatalogue {
    /// What is running and with which configuration.
    enum Application {
        static let info = compatible(
            "info", .gauge, labels: ["commit", "build_ref"], help: "The build that is running; the value is always 1."
        )
        static let reloads = own(
            "config_reloads_total", .counter, labels: ["result"],
            help: "Times the configuration was read again after a change."
        )
        static let lastReloadSuccessful = own(
            "config_last_reload_successful", .gauge,
            help: "1 if the configuration in the files is in effect, 0 if it was refused."
        )

        static let all = [info, reloads, lastReloadSuccessful]
    }

    /// What is known of the endpoints, and how fresh it is.
    enum DataLayer {
        static let averageCacheUtilization = compatible(
            "average_kv_cache_utilization", .gauge, labels: ["name"],
            help: "Mean share of the KV cache in use over the pool's ready endpoints."
        )
        static let averageQueueSize = compatible(
            "average_queue_size", .gauge, labels: ["name"],
            help: "Mean number of waiting requests over the pool's ready endpoints."
        )
        static let averageRunningRequests = compatible(
            "average_running_requests", .gauge, labels: ["name"],
            help: "Mean number of running requests over the pool's ready endpoints."
        )
        static let readyEndpoints = compatible(
            "ready_endpoints", .gauge, labels: ["name"], help: "Endpoints of the pool with fresh metrics."
        )
        static let queueSize = compatible(
            "per_endpoint_queue_size", .gauge, labels: ["name", "model_server_endpoint"],
            help: "Waiting requests as the endpoint last reported them."
        )
        static let inFlightRequests = compatible(
            "inflight_requests", .gauge,
            labels: ["endpoint_name", "namespace", "producer_name", .bounded("fairness_id"), "priority"],
            help: "Requests sent to the endpoint by this process and not ended yet."
        )
        static let pollErrors = compatible(
            "datalayer_poll_errors_total", .counter, labels: ["source_type"], help: "Failed polls of a data source."
        )
        static let metricsAge = own(
            "endpoint_metrics_age_seconds", .gauge, .seconds, labels: ["endpoint"],
            help: "Time since the endpoint's metrics were last read."
        )
        static let ejections = own(
            "endpoint_ejections_total", .counter, labels: ["endpoint", "reason"],
            help: "Times the endpoint was taken out of the candidates after failures."
        )
        static let ejected = own(
            "endpoint_ejected", .gauge, labels: ["endpoint"],
            help: "1 while the endpoint is taken out of the candidates, else 0."
        )
        static let scrapes = own(
            "scrapes_total", .counter, labels: ["result"], help: "Scrapes of endpoints by their result.")
        static let scrapeFaults = own(
            "scrape_faults_total", .counter, labels: ["field", "reason"],
            help: "Fields of endpoints' pages that were absent or could not be taken as they stood."
        )
        static let scrapeDuration = own(
            "scrape_duration_seconds", .histogram, .seconds, buckets: Buckets.scrapeSeconds,
            help: "Time from the start of a scrape to its last sample."
        )
        static let leaseLeaks = own(
            "lease_leaks_total", .counter,
            help: "Request leases dropped without being closed; anything but 0 is a defect."
        )

        static let all = [
            averageCacheUtilization, averageQueueSize, averageRunningRequests, readyEndpoints, queueSize,
            inFlightRequests, pollErrors, metricsAge, ejections, ejected, scrapes, scrapeFaults, scrapeDuration,
            leaseLeaks,
        ]
    }

    /// The process as the kernel sees it.
    enum Process {
        static let cpu = standard(
            "process_cpu_seconds_total", .counter, .seconds, help: "Total user and system CPU time spent in seconds."
        )
        static let residentMemory = standard(
            "process_resident_memory_bytes", .gauge, .bytes, help: "Resident memory size in bytes."
        )
        static let openDescriptors = standard(
            "process_open_fds", .gauge, nil, help: "Number of open file descriptors."
        )
        static let descriptorLimit = standard(
            "process_max_fds", .gauge, nil, help: "Maximum number of open file descriptors."
        )
        static let startTime = standard(
            "process_start_time_seconds", .gauge, .seconds,
            help: "Start time of the process since unix epoch in seconds."
        )

        static let all = [cpu, residentMemory, openDescriptors, descriptorLimit, startTime]

        private static func standard(
            _ name: String,
            _ type: MetricType,
            _ unit: MetricUnit?,
            help: String
        ) -> MetricDefinition {
            MetricDefinition(name: name, type: type, unit: unit, help: help, stability: .stable)
        }
    }
}
