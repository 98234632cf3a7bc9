import GatewayCore

/// What a request would add to the work of each endpoint, beside what is already in flight there
/// (``GatewayCore/EndpointSnapshot/load``).
final class InFlightLoads: Sendable {
    /// The key.
    static let key = DataKey<InFlightLoads>("InFlightLoad", defaultProducer: "inflight-load-producer")

    /// By endpoint slot: the tokens of the request that the endpoint would have to work on.
    private let uncachedTokens: [Int]
    /// The tokens on endpoints that are not in the list.
    private let otherwise: Int

    /// Makes a record.
    ///
    /// - Parameters:
    ///   - uncachedTokens: by slot, 0 or more.
    ///   - otherwise: for slots behind the end.
    init(uncachedTokens: [Int], otherwise: Int) {
        self.uncachedTokens = uncachedTokens
        self.otherwise = otherwise
    }

    /// The tokens of the request that `endpoint` would have to work on: those that it does not hold in its prefix
    /// cache, and, where the producer counts them, those that it will generate.
    func uncachedTokens(on endpoint: EndpointSnapshot) -> Int {
        uncachedTokens.indices.contains(endpoint.slot) ? uncachedTokens[endpoint.slot] : otherwise
    }
}
