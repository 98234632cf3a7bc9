import GatewayCore

/// Says how much work a request is for each endpoint: its prompt less what the endpoint has cached, and, where that is
/// wanted, the tokens that the endpoint will probably generate. A prompt counts as the token producer estimates it,
/// where the pipeline has one: then pictures do not count by their bytes.
///
/// The sum over the requests in flight is the gateway's ledger (``GatewayCore/EndpointSnapshot/load``), which counts
/// what ``load(of:on:)`` says while a request's lease is open; so there is no count here that could differ from it.
struct InFlightLoadProducer: DataProducer, LoadEstimator {
    static let descriptor = PluginDescriptor(
        type: "inflight-load-producer",
        summary: "Counts what each request adds to the work of its endpoint."
    )

    private let loads: DataWriter<InFlightLoads>
    private let matches: DataReader<PrefixCacheMatches>
    private let tokens: DataReader<PromptTokens>
    private let countsOutput: Bool
    private let outputRatio: Double
    private let maxOutputTokens: Int?

    /// Reads `addEstimatedOutputTokens` (default `false`), `outputRatio` (1.5; output per input token),
    /// `maxEstimatedOutputTokens` (no bound) and `prefixMatchInfoProducerName`. `syncCrossReplicaState` is without
    /// effect: replicas do not share their counts.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        loads = context.produce(InFlightLoads.key)
        matches = context.consume(
            PrefixCacheMatches.key,
            producerNamedAt: "prefixMatchInfoProducerName",
            in: parameters,
            requirement: .optional
        )
        tokens = context.consume(PromptTokens.key, requirement: .ifProduced)
        countsOutput = parameters.bool("addEstimatedOutputTokens", default: false)
        outputRatio = parameters.double("outputRatio", default: 1.5, in: 0...Double.greatestFiniteMagnitude)
        maxOutputTokens = parameters.int("maxEstimatedOutputTokens", in: 0...(.max))
        parameters.accept("syncCrossReplicaState")
        if parameters.value("syncCrossReplicaState")?.content == .bool(true) {
            parameters.warn("has no effect: replicas do not share their counts", at: "syncCrossReplicaState")
        }
    }

    func produce(for candidates: Candidates, context: inout SchedulingContext) {
        context.scratch[loads] = estimate(context, matches: context.scratch[matches])
    }

    func load(of context: SchedulingContext, on endpoint: EndpointSnapshot) -> LoadEstimate {
        let load = context.scratch[loads] ?? estimate(context, matches: nil)
        return LoadEstimate(tokens: load.uncachedTokens(on: endpoint), lastsToEnd: countsOutput)
    }

    private func estimate(_ context: SchedulingContext, matches: PrefixCacheMatches?) -> InFlightLoads {
        let prompt = PromptSize(context.request, context.scratch[tokens])
        let output = estimatedOutput(of: context.request, inputTokens: prompt.tokens)
        return InFlightLoads(prompt: prompt, matches: matches, outputTokens: output)
    }

    /// The tokens that a response may have: in proportion to the whole prompt, and within the bounds of request and
    /// configuration.
    private func estimatedOutput(of request: InferenceRequest, inputTokens: Int) -> Int {
        guard countsOutput, inputTokens > 0 else { return 0 }
        let estimate = Int(min((Double(inputTokens) * outputRatio).rounded(), 0x1p53))
        let asked = request.maxOutputTokens ?? .max
        return min(estimate, asked >= 0 ? asked : .max, maxOutputTokens ?? .max)
    }
}
