import GatewayCore

/// Names an endpoint to take cached blocks of the prompt from, instead of computing them again.
///
/// Of the endpoints within one block of the longest match one is drawn with the weight 1 / (1 + waiting requests). It
/// is named when it holds at least `minCachedTokenDelta` tokens more than the endpoint that computes the prompt: the
/// prefill worker where there is one, else the one that answers.
struct CacheSourceProducer: DataProducer, PreRequest {
    static let descriptor = PluginDescriptor(
        type: "p2p-source-producer",
        stability: .alpha,
        summary: "Names the endpoint whose KV cache the prompt's blocks can be taken from."
    )

    private static let source = DataKey<EndpointSnapshot>("KVCacheSource")

    private let matches: DataReader<PrefixCacheMatches>
    private let tokens: DataReader<PromptTokens>
    private let source: DataWriter<EndpointSnapshot>
    private let minCachedTokenDelta: Int
    /// The profile for prefill; `nil` for that of the profile handler.
    private let prefillProfile: String?

    /// Reads `prefixMatchInfoProducerName` (default: the approximate index), `minCachedTokenDelta` (1; at least 1) and
    /// `prefillProfileName` (default: what the profile handler says).
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        matches = context.consume(
            PrefixCacheMatches.key,
            producerNamedAt: "prefixMatchInfoProducerName",
            in: parameters
        )
        tokens = context.consume(PromptTokens.key, requirement: .ifProduced)
        source = context.produce(Self.source)
        minCachedTokenDelta = parameters.int("minCachedTokenDelta", default: 1, in: 1...(.max))
        let profile = parameters.string("prefillProfileName", default: "")
        context.refersToProfile(namedAt: "prefillProfileName", in: parameters)
        prefillProfile = profile.isEmpty ? nil : profile
    }

    func produce(for candidates: Candidates, context: inout SchedulingContext) {
        // Of an earlier attempt nothing stays.
        context.scratch[source] = nil
        guard let matches = context.scratch[matches] else { return }
        var longest = 0
        for position in candidates.positions {
            longest = max(longest, matches.matchedBlocks(on: candidates.all[position]))
        }
        guard longest > 0 else { return }
        var chosen: EndpointSnapshot?
        var total = 0.0
        for position in candidates.positions {
            let endpoint = candidates.all[position]
            let matched = matches.matchedBlocks(on: endpoint)
            guard matched > 0, matched >= longest - 1 else { continue }
            // The n-th takes the place with its share of the weights so far, which gives each its share of them all.
            let weight = 1 / (1 + Double(max(0, endpoint.metrics.waitingQueueSize)))
            total += weight
            if context.random.unit() * total < weight { chosen = endpoint }
        }
        context.scratch[source] = chosen
    }

    func willSend(_ decision: SchedulingDecision, context: inout SchedulingContext) {
        let source = worthwhileSource(decision, context)
        context.requestHeaders.overwrite(SidecarHeaders.cacheSource, with: source?.address.authority)
    }

    private func worthwhileSource(_ decision: SchedulingDecision, _ context: SchedulingContext) -> EndpointSnapshot? {
        guard let source = context.scratch[source], let matches = context.scratch[matches] else { return nil }
        let prefill = prefillProfile.map { name in decision.secondary.first { $0.profile == name } } ?? decision.prefill
        let computing = prefill?.endpoints[0] ?? decision.endpoint
        guard source.id != computing.id else { return nil }
        let prompt = PromptSize(context.request, context.scratch[tokens])
        // Neither is negative, so the difference cannot overflow.
        let lead = matches.cachedTokens(of: prompt, on: source) - matches.cachedTokens(of: prompt, on: computing)
        return lead >= minCachedTokenDelta ? source : nil
    }
}
