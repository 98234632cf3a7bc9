import GatewayCore

/// How fast each endpoint is expected to serve a request.
final class LatencyPredictions: Sendable {
    /// The key.
    static let key = DataKey<LatencyPredictions>("LatencyPredictionInfo", defaultProducer: "predicted-latency-producer")

    /// What is expected of one endpoint. Times are in milliseconds.
    struct Prediction: Hashable, Sendable {
        /// Whether the time to first token keeps the request's objective.
        var isTTFTValid = false
        /// Whether the time per output token keeps the request's objective.
        var isTPOTValid = false
        /// The objective for the time to first token less what is expected; negative when it will be missed.
        var ttftHeadroom = 0.0
        /// The objective for the time per output token less what is expected; negative when it will be missed.
        var tpotHeadroom = 0.0
        /// The time to first token.
        var ttft = 0.0
        /// The time per output token.
        var tpot = 0.0
        /// Requests that the gateway has in flight on the endpoint.
        var dispatchedCount = 0
    }

    /// By endpoint slot.
    private let predictions: [Prediction?]

    /// Makes a record of predictions by slot; `nil` where nothing is expected.
    init(_ predictions: [Prediction?]) {
        self.predictions = predictions
    }

    /// What is expected of `endpoint`; `nil` when nobody knows.
    func prediction(on endpoint: EndpointSnapshot) -> Prediction? {
        predictions.indices.contains(endpoint.slot) ? predictions[endpoint.slot] : nil
    }

    /// Declares that the plugin being built needs predictions: of the producer that `latencyPredictionInfoProducerName`
    /// names, else of the default one.
    static func reader(
        _ parameters: ParameterDecoder,
        context: inout PluginContext
    ) -> DataReader<LatencyPredictions> {
        let producer = parameters.string("latencyPredictionInfoProducerName", default: "")
        return context.consume(key, producer: producer.isEmpty ? nil : producer)
    }
}
