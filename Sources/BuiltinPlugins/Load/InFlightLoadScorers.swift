import GatewayCore

/// Prefers endpoints that have few tokens to work on: `1 - min(L, T) / T`, where L is the tokens that the gateway has
/// in flight there with those that this request would add. Prompts that are cached on an endpoint add less there.
struct TokenLoadScorer: Scorer {
    static let descriptor = PluginDescriptor(
        type: "token-load-scorer",
        summary: "Prefers endpoints with few tokens in flight, this request's uncached ones included."
    )

    /// 128 requests of 32,768 tokens.
    private static let defaultThreshold = 4_194_304
    private let loads: DataReader<InFlightLoads>
    private let threshold: Double

    /// Reads `queueThresholdTokens` (default 4,194,304), the tokens from which on the score is 0, and
    /// `inFlightLoadProducerName`.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        loads = context.consume(InFlightLoads.key, producerNamedAt: "inFlightLoadProducerName", in: parameters)
        let threshold = parameters.int("queueThresholdTokens", default: Self.defaultThreshold)
        if threshold <= 0 {
            parameters.warn("is not above 0: \(Self.defaultThreshold) is used", at: "queueThresholdTokens")
        }
        self.threshold = Double(threshold > 0 ? threshold : Self.defaultThreshold)
    }

    func score(_ candidates: Candidates, context: SchedulingContext, into scores: inout MutableSpan<Double>) {
        let loads = context.scratch[loads]
        for index in scores.indices {
            let endpoint = candidates[index]
            let tokens = Double(endpoint.load.tokens) + Double(loads?.uncachedTokens(on: endpoint) ?? 0)
            scores[index] = 1 - min(max(0, tokens), threshold) / threshold
        }
    }
}

/// Prefers endpoints where the gateway has few requests in flight: 1 up to the idle threshold, else
/// `(max - c) / max * maxBusyScore` with c requests and the largest count of the candidates.
struct ActiveRequestScorer: Scorer {
    static let descriptor = PluginDescriptor(
        type: "active-request-scorer",
        summary: "Prefers endpoints with few requests of this gateway in flight."
    )

    private let idleThreshold: Double
    private let maxBusyScore: Double

    /// Reads `idleThreshold` (default 0), `maxBusyScore` (0 ... 1, default 1), and without effect
    /// `inFlightLoadProducerName` and the `requestTimeout` of earlier releases.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        let threshold = parameters.int("idleThreshold", default: 0)
        if threshold < 0 { parameters.warn("is below 0, which is used instead", at: "idleThreshold") }
        idleThreshold = Double(max(0, threshold))
        let busy = parameters.double("maxBusyScore", default: 1)
        if !(0...1).contains(busy) { parameters.warn("is not in 0 to 1: 1 is used", at: "maxBusyScore") }
        maxBusyScore = (0...1).contains(busy) ? busy : 1
        parameters.acceptWithoutEffect("requestTimeout", because: "requests count until they end")
        parameters.acceptWithoutEffect("inFlightLoadProducerName", because: InFlightLoads.requestsNeedNoProducer)
    }

    func score(_ candidates: Candidates, context: SchedulingContext, into scores: inout MutableSpan<Double>) {
        var highest = 0.0
        for index in scores.indices {
            // Held in the score's place: the count is live, and each endpoint is to have one value in a decision.
            let count = Double(candidates[index].load.requests)
            scores[index] = count
            highest = max(highest, count)
        }
        for index in scores.indices {
            let count = scores[index]
            scores[index] = count <= idleThreshold ? 1 : (highest - count) / highest * maxBusyScore
        }
    }
}
