import GatewayCore

/// Says how much work a request is for each endpoint: its prompt less what the endpoint has cached, and, where that is
/// wanted, the tokens that the endpoint will probably generate.
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
    private let countsOutput: Bool
    private let outputRatio: Double
    private let maxOutputTokens: Int?

    /// Reads `addEstimatedOutputTokens` (default `false`), `outputRatio` (1.5; output per input token),
    /// `maxEstimatedOutputTokens` (no bound) and `prefixMatchInfoProducerName`. `syncCrossReplicaState` is without
    /// effect: replicas do not share their counts.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        loads = context.produce(InFlightLoads.key)
        let producer = parameters.string("prefixMatchInfoProducerName", default: "")
        matches = context.consume(
            PrefixCacheMatches.key,
            producer: producer.isEmpty ? nil : producer,
            requirement: .optional
        )
        countsOutput = parameters.bool("addEstimatedOutputTokens", default: false)
        outputRatio = parameters.double("outputRatio", default: 1.5, in: 0...Double.greatestFiniteMagnitude)
        maxOutputTokens = parameters.int("maxEstimatedOutputTokens", in: 0...(.max))
        if parameters.bool("syncCrossReplicaState", default: false) {
            parameters.warn("has no effect: replicas do not share their counts", at: "syncCrossReplicaState")
        }
    }

    func produce(for candidates: Candidates, context: inout SchedulingContext) {
        let request = context.request
        let output = estimatedOutput(of: request)
        let otherwise = Self.sum(request.inputTokens, output)
        guard let matches = context.scratch[matches], matches.totalBlocks > 0 else {
            context.scratch[loads] = InFlightLoads(uncachedTokens: [], otherwise: otherwise)
            return
        }
        var highestSlot = -1
        for position in candidates.positions { highestSlot = max(highestSlot, candidates.all[position].slot) }
        var tokens = [Int](repeating: otherwise, count: highestSlot + 1)
        for position in candidates.positions {
            let endpoint = candidates.all[position]
            let (cached, overflow) = matches.matchedBlocks(on: endpoint)
                .multipliedReportingOverflow(by: matches.blockSizeTokens)
            // The last block may be partial: it counts the tokens that it has.
            let uncached = overflow ? 0 : max(0, request.inputTokens - cached)
            tokens[endpoint.slot] = Self.sum(uncached, output)
        }
        context.scratch[loads] = InFlightLoads(uncachedTokens: tokens, otherwise: otherwise)
    }

    func load(of context: SchedulingContext, on endpoint: EndpointSnapshot) -> LoadEstimate {
        let request = context.request
        let tokens =
            context.scratch[loads]?.uncachedTokens(on: endpoint)
            ?? Self.sum(request.inputTokens, estimatedOutput(of: request))
        return LoadEstimate(tokens: tokens, lastsToEnd: countsOutput)
    }

    /// The tokens that a response may have: in proportion to the whole prompt, and within the bounds of request and
    /// configuration.
    private func estimatedOutput(of request: InferenceRequest) -> Int {
        guard countsOutput, request.inputTokens > 0 else { return 0 }
        let estimate = Int(min((Double(request.inputTokens) * outputRatio).rounded(), 0x1p53))
        let asked = request.maxOutputTokens ?? .max
        return min(estimate, asked >= 0 ? asked : .max, maxOutputTokens ?? .max)
    }

    private static func sum(_ input: Int, _ output: Int) -> Int {
        let (sum, overflow) = max(0, input).addingReportingOverflow(output)
        return overflow ? .max : sum
    }
}
