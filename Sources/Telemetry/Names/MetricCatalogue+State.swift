extension MetricCatalogue {
    /// What is running and with which configuration.
    enum Application {
        static let info = compatible(
            "info", .gauge, labels: ["commit", "build_ref"], help: "The build that is running; the value is always 1.",
            twin: DeprecatedTwin("inference_extension_info", labels: ["commit", "build_ref"])
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
        /// The older name of a family of a pool's figures.
        private static func pool(_ name: String) -> DeprecatedTwin {
            DeprecatedTwin("inference_pool_\(name)", labels: ["name"])
        }

        private static let inFlightLabels: [MetricLabel] = [
            "endpoint_name", "namespace", "producer_name", .bounded("fairness_id"), "priority",
        ]

        static let averageCacheUtilization = compatible(
            "average_kv_cache_utilization", .gauge, labels: ["name"],
            help: "Mean share of the KV cache in use over the pool's ready endpoints.",
            twin: pool("average_kv_cache_utilization")
        )
        static let averageQueueSize = compatible(
            "average_queue_size", .gauge, labels: ["name"],
            help: "Mean number of waiting requests over the pool's ready endpoints.",
            twin: pool("average_queue_size")
        )
        static let averageRunningRequests = compatible(
            "average_running_requests", .gauge, labels: ["name"],
            help: "Mean number of running requests over the pool's ready endpoints.",
            twin: pool("average_running_requests")
        )
        static let cacheUtilizationDeviation = compatible(
            "std_dev_kv_cache_utilization", .gauge, labels: ["name"],
            help: "Standard deviation of the share of the KV cache in use over the pool's ready endpoints."
        )
        static let queueSizeDeviation = compatible(
            "std_dev_queue_size", .gauge, labels: ["name"],
            help: "Standard deviation of the number of waiting requests over the pool's ready endpoints."
        )
        static let runningRequestsDeviation = compatible(
            "std_dev_running_requests", .gauge, labels: ["name"],
            help: "Standard deviation of the number of running requests over the pool's ready endpoints."
        )
        static let readyEndpoints = compatible(
            "ready_endpoints", .gauge, labels: ["name"], help: "Endpoints of the pool with fresh metrics.",
            twin: pool("ready_pods")
        )
        static let queueSize = compatible(
            "per_endpoint_queue_size", .gauge, labels: ["name", "model_server_endpoint"],
            help: "Waiting requests as the endpoint last reported them.",
            twin: DeprecatedTwin(
                "inference_pool_per_pod_queue_size",
                labels: ["name", .init("model_server_pod", from: "model_server_endpoint")]
            )
        )
        static let inFlightRequests = compatible(
            "inflight_requests", .gauge, labels: inFlightLabels,
            help: "Requests sent to the endpoint by this process and not ended yet."
        )
        static let inFlightTokens = compatible(
            "inflight_tokens", .gauge, .tokens, labels: inFlightLabels,
            help: "Tokens that these requests give the endpoint to work on."
        )
        static let pollErrors = compatible(
            "datalayer_poll_errors_total", .counter, labels: ["source_type"], help: "Failed polls of a data source.",
            twin: DeprecatedTwin("llm_d_inference_scheduler_datalayer_poll_errors_total", labels: ["source_type"])
        )
        static let extractErrors = compatible(
            "datalayer_extract_errors_total", .counter, labels: ["source_type", "extractor_type"],
            help: "Answers of a data source in which something was absent or could not be taken as it stood.",
            twin: DeprecatedTwin(
                "llm_d_inference_scheduler_datalayer_extract_errors_total", labels: ["source_type", "extractor_type"]
            )
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
            averageCacheUtilization, averageQueueSize, averageRunningRequests, cacheUtilizationDeviation,
            queueSizeDeviation, runningRequestsDeviation, readyEndpoints, queueSize, inFlightRequests, inFlightTokens,
            pollErrors, extractErrors, metricsAge, ejections, ejected, scrapes, scrapeFaults, scrapeDuration,
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
