import GatewayCore

/// Keeps the endpoints that are expected to keep the request's latency objectives.
///
/// An endpoint has headroom when neither of its two headrooms is negative; one without a prediction has none. When some
/// have headroom and some do not, the former stay, but for a share of the requests (`epsilonExploreNeg`) the latter: so
/// they are measured again. Without any prediction, and of one candidate, all stay.
struct SLOHeadroomTierFilter: Filter {
    static let descriptor = PluginDescriptor(
        type: "slo-headroom-tier-filter",
        summary: "Keeps endpoints that are expected to keep the request's latency objectives."
    )

    private let predictions: DataReader<LatencyPredictions>
    private let explorationProbability: Double

    /// Reads `epsilonExploreNeg` (0 ... 1, default 0.01) and `latencyPredictionInfoProducerName` (default:
    /// `predicted-latency-producer`).
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        explorationProbability = parameters.double("epsilonExploreNeg", default: 0.01, in: 0...1)
        predictions = context.consume(
            LatencyPredictions.key,
            producerNamedAt: "latencyPredictionInfoProducerName",
            in: parameters
        )
    }

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {
        guard candidates.count > 1, let predictions = context.scratch[predictions] else { return }
        var predicted = 0
        var withHeadroom = 0
        for position in candidates.positions {
            guard let prediction = predictions.prediction(on: candidates.all[position]) else { continue }
            predicted += 1
            if prediction.hasHeadroom { withHeadroom += 1 }
        }
        guard predicted > 0, withHeadroom > 0, withHeadroom < candidates.count else { return }
        let explores = context.random.unit() < explorationProbability
        candidates.keep { (predictions.prediction(on: $0)?.hasHeadroom ?? false) != explores }
    }

    func rule(in context: SchedulingContext) -> String {
        "both headrooms >= 0; for \(explorationProbability.written) of the requests those without"
    }
}

extension LatencyPredictions.Prediction {
    /// Whether both objectives will be kept, as far as it is known; a headroom that is no number keeps nothing.
    fileprivate var hasHeadroom: Bool { ttftHeadroom >= 0 && tpotHeadroom >= 0 }
}
