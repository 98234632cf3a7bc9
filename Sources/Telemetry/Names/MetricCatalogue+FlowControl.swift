extension MetricCatalogue {
    /// Requests that wait for their turn.
    enum FlowControl {
        private static let flow: [MetricLabel] = [.bounded("fairness_id"), "priority"]
        private static let pool: MetricLabel = "inference_pool"
        private static let model: [MetricLabel] = [.bounded("model_name"), .bounded("target_model_name")]

        private static let presence = MetricPresence.flowControl

        /// The older name of a family with the labels that it has.
        private static func extensionTwin(_ name: String, _ labels: [MetricLabel] = []) -> DeprecatedTwin {
            DeprecatedTwin(
                "inference_extension_flow_control_\(name)", labels: labels.map { .init(stringLiteral: $0.name) })
        }

        static let queueDuration = compatible(
            "flow_control_request_queue_duration_seconds", .histogram, .seconds,
            labels: flow + ["outcome", pool] + model, buckets: Buckets.queueSeconds,
            help: "Time from a request's arrival at the queue to the decision about it.", presence: presence,
            twin: extensionTwin("request_queue_duration_seconds", flow + ["outcome", pool] + model)
        )
        static let dispatchCycle = compatible(
            "flow_control_dispatch_cycle_duration_seconds", .histogram, .seconds, buckets: Buckets.decisionSeconds,
            help: "Time of one look at the queues of a pool, with all dispatches that came of it.", presence: presence,
            twin: extensionTwin("dispatch_cycle_duration_seconds")
        )
        static let queueSize = compatible(
            "flow_control_queue_size", .gauge, labels: flow + [pool] + model, help: "Requests that wait.",
            presence: presence, twin: extensionTwin("queue_size", flow + [pool] + model)
        )
        static let queueBytes = compatible(
            "flow_control_queue_bytes", .gauge, .bytes, labels: flow + [pool] + model,
            help: "Bytes of the bodies of requests that wait.", presence: presence,
            twin: extensionTwin("queue_bytes", flow + [pool] + model)
        )
        static let requests = compatible(
            "flow_control_requests_total", .counter, labels: ["outcome", "priority", pool],
            help: "Requests about which flow control decided, by what became of them.", presence: presence
        )
        static let saturation = compatible(
            "flow_control_pool_saturation", .gauge, labels: [pool, "stage"],
            help: "How full the pool's endpoints are, 0 to 1, by their part in a request.", presence: presence,
            twin: DeprecatedTwin(
                "inference_extension_flow_control_pool_saturation", labels: ["inference_pool"],
                only: .init(label: "stage", value: "effective")
            )
        )
        static let enqueueDuration = compatible(
            "flow_control_request_enqueue_duration_seconds", .histogram, .seconds, labels: flow + ["outcome"],
            buckets: Buckets.decisionSeconds,
            help: "Time of joining the queue, with the look at who may go.", presence: presence,
            twin: extensionTwin("request_enqueue_duration_seconds", flow + ["outcome"])
        )
        static let staleEndpoints = compatible(
            "flow_control_stale_endpoints", .gauge, labels: ["detector"],
            help: "Endpoints whose metrics are too old for the saturation detector.", presence: presence
        )
        static let requestUtilization = compatible(
            "flow_control_capacity_utilization_requests", .gauge, labels: ["priority", pool],
            help: "Requests that wait, as a share of the most that may in their priority.", presence: presence
        )
        static let byteUtilization = compatible(
            "flow_control_capacity_utilization_bytes", .gauge, .bytes, labels: ["priority", pool],
            help: "Bytes that wait, as a share of the most that may in their priority.", presence: presence
        )
        static let globalRequestUtilization = compatible(
            "flow_control_global_capacity_utilization_requests", .gauge, labels: [pool],
            help: "Requests that wait, as a share of the most that may; 0 without a limit.", presence: presence
        )
        static let globalByteUtilization = compatible(
            "flow_control_global_capacity_utilization_bytes", .gauge, .bytes, labels: [pool],
            help: "Bytes that wait, as a share of the most that may; 0 without a limit.", presence: presence
        )
        static let revocationsIssued = compatible(
            "flow_control_revocations_issued_total", .counter, labels: ["priority", pool],
            help: "Running requests that were told to end for more important ones, by their priority.",
            presence: presence
        )
        static let revocations = compatible(
            "flow_control_revocations_total", .counter, labels: ["outcome", pool],
            help: "Requests that were told to end, by whether they did in time.", presence: presence
        )
        static let revocationConfirmation = compatible(
            "flow_control_revocation_confirmation_seconds", .histogram, .seconds, labels: [pool],
            buckets: Buckets.confirmationSeconds,
            help: "Time from telling a running request to end to its end.", presence: presence
        )
        private static let programs = MetricPresence.plugin("program-aware-fairness")

        static let programFairness = compatible(
            "program_aware_jains_fairness_index", .gauge,
            help: "How equal the mean waits of programs are: 1 when all are, 1 / n when one of n waits alone.",
            presence: programs
        )
        static let programWait = compatible(
            "program_aware_avg_wait_time_milliseconds", .gauge, labels: [.bounded("program_id")],
            help: "How long requests of the program waited on average.", presence: programs
        )
        static let programService = compatible(
            "program_aware_attained_service_tokens", .gauge, .tokens, labels: [.bounded("program_id")],
            help: "Work that the program had, fading with time: prompt tokens and twice the generated ones.",
            presence: programs
        )
        static let foldedRequests = own(
            "flow_control_folded_requests_total", .counter, labels: ["priority", pool],
            help: "Requests whose flow was not told apart, because there were as many flows as may be.",
            presence: presence
        )

        static let all = [
            queueDuration, dispatchCycle, queueSize, queueBytes, requests, saturation, enqueueDuration, staleEndpoints,
            requestUtilization, byteUtilization, globalRequestUtilization, globalByteUtilization, revocationsIssued,
            revocations, revocationConfirmation, programFairness, programWait, programService, foldedRequests,
        ]
    }
}
