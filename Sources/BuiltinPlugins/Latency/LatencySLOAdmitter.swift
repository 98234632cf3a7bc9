import GatewayCore

/// Refuses a request of negative priority whose latency objective no endpoint is expected to keep.
///
/// It refuses only when all of this holds: the client set an objective; there is a prediction; no prediction keeps both
/// objectives; no endpoint is idle; no endpoint is cold, that is, has less than 2 % of its KV cache in use, for then
/// predictions are not to be relied on.
struct LatencySLOAdmitter: Admitter {
    static let descriptor = PluginDescriptor(
        type: "latency-slo-admitter",
        summary: "Refuses requests of negative priority whose latency objective no endpoint is expected to keep."
    )

    /// The use of the KV cache below which an endpoint is cold.
    private static let coldKVCacheUsage = 0.02

    private let predictions: DataReader<LatencyPredictions>

    /// Reads `latencyPredictionInfoProducerName` (default: `predicted-latency-producer`).
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        predictions = context.consume(
            LatencyPredictions.key,
            producerNamedAt: "latencyPredictionInfoProducerName",
            in: parameters
        )
    }

    func admit(_ candidates: Candidates, context: inout SchedulingContext) throws(Rejection) {
        let priority = context.request.priority
        guard priority < 0, let predictions = context.scratch[predictions],
            LatencyObjective(context.request.headers).isSet
        else { return }
        var isPredicted = false
        for position in candidates.positions {
            let endpoint = candidates.all[position]
            let metrics = endpoint.metrics
            if metrics.runningRequests == 0 || metrics.kvCacheUsage < Self.coldKVCacheUsage { return }
            guard let prediction = predictions.prediction(on: endpoint) else { continue }
            if prediction.isTTFTValid, prediction.isTPOTValid { return }
            isPredicted = true
        }
        guard isPredicted else { return }
        throw Rejection(
            .saturated,
            "request cannot be admitted: no endpoint is expected to keep its latency objective, and its priority is "
                + "\(priority)"
        )
    }
}
