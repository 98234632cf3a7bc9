/// How fast each endpoint is expected to serve a request: what a plugin that predicts latencies writes, and what
/// `latency-scorer`, `slo-headroom-tier-filter`, `latency-slo-admitter` and `prefix-cache-affinity-filter` read.
public final class LatencyPredictions: Sendable {
    /// The key. The readers name the producer by `latencyPredictionInfoProducerName`.
    public static let key = DataKey<LatencyPredictions>(
        "LatencyPredictionInfo",
        defaultProducer: "predicted-latency-producer"
    )

    /// What is expected of one endpoint. Times are in milliseconds.
    public struct Prediction: Hashable, Sendable {
        /// Whether the time to first token keeps the request's objective.
        public var isTTFTValid: Bool
        /// Whether the time per output token keeps the request's objective.
        public var isTPOTValid: Bool
        /// The objective for the time to first token less what is expected; negative when it will be missed.
        public var ttftHeadroom: Double
        /// The objective for the time per output token less what is expected; negative when it will be missed.
        public var tpotHeadroom: Double
        /// The time to first token.
        public var ttft: Double
        /// The time per output token.
        public var tpot: Double
        /// Requests that the gateway has in flight on the endpoint.
        public var dispatchedCount: Int

        /// Makes a prediction; see the properties.
        public init(
            isTTFTValid: Bool = false,
            isTPOTValid: Bool = false,
            ttftHeadroom: Double = 0,
            tpotHeadroom: Double = 0,
            ttft: Double = 0,
            tpot: Double = 0,
            dispatchedCount: Int = 0
        ) {
            self.isTTFTValid = isTTFTValid
            self.isTPOTValid = isTPOTValid
            self.ttftHeadroom = ttftHeadroom
            self.tpotHeadroom = tpotHeadroom
            self.ttft = ttft
            self.tpot = tpot
            self.dispatchedCount = dispatchedCount
        }
    }

    /// By endpoint slot.
    private let predictions: [Prediction?]

    /// Makes a record of predictions by slot (``EndpointSnapshot/slot``); `nil` where nothing is expected. Slots behind
    /// the end have none.
    public init(_ predictions: [Prediction?]) {
        self.predictions = predictions
    }

    /// What is expected of `endpoint`; `nil` when nobody knows.
    public func prediction(on endpoint: EndpointSnapshot) -> Prediction? {
        predictions.indices.contains(endpoint.slot) ? predictions[endpoint.slot] : nil
    }
}
