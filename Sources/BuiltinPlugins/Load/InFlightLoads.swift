import GatewayCore

/// What a request would add to the work of each endpoint, beside what is already in flight there
/// (``GatewayCore/EndpointSnapshot/load``).
final class InFlightLoads: Sendable {
    /// The key.
    static let key = DataKey<InFlightLoads>("InFlightLoad", defaultProducer: "inflight-load-producer")
    /// Why what reads only the number of requests accepts a producer's name and does nothing with it.
    static let requestsNeedNoProducer = "requests in flight are counted without a producer"

    private let prompt: PromptSize
    private let matches: PrefixCacheMatches?
    private let outputTokens: Int

    /// Makes a record.
    ///
    /// - Parameters:
    ///   - prompt: the request's prompt.
    ///   - matches: how much of it the endpoints hold; `nil` when nobody knows.
    ///   - outputTokens: what the endpoint will generate, as far as that counts; 0 or more.
    init(prompt: PromptSize, matches: PrefixCacheMatches?, outputTokens: Int) {
        self.prompt = prompt
        self.matches = matches
        self.outputTokens = outputTokens
    }

    /// The tokens of the request that `endpoint` would have to work on, 0 or more: those that it does not hold in its
    /// prefix cache, and, where the producer counts them, those that it will generate.
    func uncachedTokens(on endpoint: EndpointSnapshot) -> Int {
        let cached = matches?.cachedTokens(of: prompt, on: endpoint) ?? 0
        let (sum, overflow) = (prompt.tokens - cached).addingReportingOverflow(outputTokens)
        return overflow ? .max : sum
    }
}
