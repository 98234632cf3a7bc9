import GatewayCore

/// Always gives the prompt to an endpoint of its own.
struct AlwaysPrefillDecider: DisaggregationDecider {
    static let descriptor = PluginDescriptor(
        type: "always-disagg-pd-decider",
        summary: "Has every prompt computed by a prefill worker."
    )

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func disaggregates(_ context: SchedulingContext, decode: EndpointSnapshot?) -> Bool { true }
}

/// Gives requests with pictures, films or recordings to encoders.
struct MultimodalDecider: DisaggregationDecider {
    static let descriptor = PluginDescriptor(
        type: "always-disagg-multimodal-decider",
        summary: "Has the media of every prompt that has any encoded by an encode worker."
    )

    private let tokens: DataReader<PromptTokens>

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        tokens = context.consume(PromptTokens.key)
    }

    func disaggregates(_ context: SchedulingContext, decode: EndpointSnapshot?) -> Bool {
        context.scratch[tokens].map { !$0.features.isEmpty } ?? false
    }
}

/// Gives prompts to a prefill worker of which the decode worker would have much to compute itself.
///
/// With t tokens in the prompt, of which the decode worker holds c in its cache, and the bounds n (`nonCachedTokens`)
/// and p (`promptTokens`): t ≥ p and t − c ≥ n. An n of 0 turns prefill workers off.
struct PrefixBasedDecider: DisaggregationDecider {
    static let descriptor = PluginDescriptor(
        type: "prefix-based-pd-decider",
        summary: "Has a prompt computed by a prefill worker when the decode worker holds little of it in its cache."
    )

    private let tokens: DataReader<PromptTokens>
    private let matches: DataReader<PrefixCacheMatches>
    private let minUncachedTokens: Int
    private let minPromptTokens: Int

    /// Reads `nonCachedTokens` (default 0: never), `promptTokens` (0) and `prefixMatchInfoProducerName` (default: the
    /// approximate index).
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        minUncachedTokens = parameters.int("nonCachedTokens", default: 0, in: 0...(.max))
        minPromptTokens = parameters.int("promptTokens", default: 0, in: 0...(.max))
        if minUncachedTokens == 0 { parameters.warn("0 means that no prefill worker is used", at: "nonCachedTokens") }
        tokens = context.consume(PromptTokens.key)
        matches = context.consume(
            PrefixCacheMatches.key,
            producerNamedAt: "prefixMatchInfoProducerName",
            in: parameters
        )
    }

    func disaggregates(_ context: SchedulingContext, decode: EndpointSnapshot?) -> Bool {
        guard minUncachedTokens > 0, let decode, let matches = context.scratch[matches] else { return false }
        let prompt = PromptSize(context.request, context.scratch[tokens])
        guard prompt.tokens >= minPromptTokens else { return false }
        return prompt.tokens - matches.cachedTokens(of: prompt, on: decode) >= minUncachedTokens
    }
}
