extension MetricCatalogue {
    /// Requests that wait for their turn.
    enum FlowControl {
        private static let flow: [MetricLabel] = [.bounded("fairness_id"), "priority"]
        private static let pool: MetricLabel = "inference_pool"
        private static let model: [MetricLabel] = [.bounded("model_name"), .bounded("target_model_name")]

        static let queueDuration = compatible(
            "flow_control_request_queue_duration_seconds", .histogram, .seconds,
            labels: flow + ["outcome", pool] + model, buckets: Buckets.queueSeconds,
            help: "Time from a request's arrival at the queue to the decision about it."
        )
        static let dispatchCycle = compatible(
            "flow_control_dispatch_cycle_duration_seconds", .histogram, .seconds, buckets: Buckets.decisionSeconds,
            help: "Time of one look at the queues of a pool, with all dispatches that came of it."
        )
        static let queueSize = compatible(
            "flow_control_queue_size", .gauge, labels: flow + [pool] + model, help: "Requests that wait."
        )
        static let queueBytes = compatible(
            "flow_control_queue_bytes", .gauge, .bytes, labels: flow + [pool] + model,
            help: "Bytes of the bodies of requests that wait."
        )
        static let requests = compatible(
            "flow_control_requests_total", .counter, labels: ["outcome", "priority", pool],
            help: "Requests about which flow control decided, by what became of them."
        )
        static let saturation = compatible(
            "flow_control_pool_saturation", .gauge, labels: [pool, "stage"],
            help: "How full the pool's endpoints are, 0 to 1, by their part in a request."
        )
        static let requestUtilization = compatible(
            "flow_control_capacity_utilization_requests", .gauge, labels: ["priority", pool],
            help: "Requests that wait, as a share of the most that may in their priority."
        )
        static let byteUtilization = compatible(
            "flow_control_capacity_utilization_bytes", .gauge, .bytes, labels: ["priority", pool],
            help: "Bytes that wait, as a share of the most that may in their priority."
        )
        static let globalRequestUtilization = compatible(
            "flow_control_global_capacity_utilization_requests", .gauge, labels: [pool],
            help: "Requests that wait, as a share of the most that may; 0 without a limit."
        )
        static let globalByteUtilization = compatible(
            "flow_control_global_capacity_utilization_bytes", .gauge, .bytes, labels: [pool],
            help: "Bytes that wait, as a share of the most that may; 0 without a limit."
        )
        static let revocationsIssued = compatible(
            "flow_control_revocations_issued_total", .counter, labels: ["priority", pool],
            help: "Running requests that were told to end for more important ones, by their priority."
        )
        static let revocations = compatible(
            "flow_control_revocations_total", .counter, labels: ["outcome", pool],
            help: "Requests that were told to end, by whether they did in time."
        )
        static let revocationConfirmation = compatible(
            "flow_control_revocation_confirmation_seconds", .histogram, .seconds, labels: [pool],
            buckets: Buckets.confirmationSeconds,
            help: "Time from telling a running request to end to its end."
        )
        static let foldedRequests = own(
            "flow_control_folded_requests_total", .counter, labels: ["priority", pool],
            help: "Requests whose flow was not told apart, because there were as many flows as may be."
        )

        static let all = [
            queueDuration, dispatchCycle, queueSize, queueBytes, requests, saturation, requestUtilization,
            byteUtilization, globalRequestUtilization, globalByteUtilization, revocationsIssued, revocations,
            revocationConfirmation, foldedRequests,
        ]
    }
}
