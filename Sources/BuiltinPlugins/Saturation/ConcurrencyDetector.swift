import GatewayCore

/// Tells a full pool by what the gateway itself has in flight, which it knows at once and without metrics.
///
/// The saturation is Σ requests / Σ capacity over the endpoints, or the same with tokens; in the hybrid mode it is the
/// mean of the greater of both shares per endpoint. Tokens are those of ``GatewayCore/EndpointLoad/tokens``.
///
/// As a filter it keeps endpoints below `1 + headroom` of their capacity, rounded down; it may leave nobody.
struct ConcurrencyDetector: SaturationDetector, Filter {
    static let descriptor = PluginDescriptor(
        type: "concurrency-detector",
        summary: "Tells a full pool by the requests or tokens in flight; as a filter, keeps endpoints with room."
    )

    /// What counts as load.
    enum Mode: String, CaseIterable, Sendable {
        /// Requests in flight.
        case requests
        /// Tokens in flight.
        case tokens
        /// Both; the one that is nearer to its limit.
        case hybrid
    }

    private let mode: Mode
    private let maxRequests: Double
    private let maxTokens: Double
    private let requestLimit: Double
    private let tokenLimit: Double

    /// Reads `concurrencyMode` (default `requests`), `maxConcurrency` (default 100), `maxTokenConcurrency` (default
    /// 1,000,000) and `headroom` (default 0). `inFlightLoadProducerName` has no effect: the gateway has one count.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        mode = parameters.enumeration("concurrencyMode", default: .requests)
        maxRequests = Double(parameters.int("maxConcurrency", default: 100, in: 1...(.max)))
        maxTokens = Double(parameters.int("maxTokenConcurrency", default: 1_000_000, in: 1...(.max)))
        let headroom = parameters.headroom()
        requestLimit = (maxRequests * (1 + headroom)).rounded(.down)
        tokenLimit = (maxTokens * (1 + headroom)).rounded(.down)
        parameters.acceptWithoutEffect("inFlightLoadProducerName", because: "the gateway counts what is in flight once")
    }

    func saturation(of candidates: Candidates, now: MonotonicInstant) -> Double {
        if candidates.isEmpty { return 1 }
        var sum = 0.0
        for position in candidates.positions { sum += share(of: candidates.all[position].load, adding: .none) }
        return sum / Double(candidates.count)
    }

    func fullness(of endpoint: EndpointSnapshot, adding pending: PendingLoad, now: MonotonicInstant) -> Double? {
        share(of: endpoint.load, adding: pending)
    }

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {
        candidates.keep { endpoint in
            switch mode {
            case .requests: Double(endpoint.load.requests) < requestLimit
            case .tokens: Double(endpoint.load.tokens) < tokenLimit
            case .hybrid:
                Double(endpoint.load.requests) < requestLimit && Double(endpoint.load.tokens) < tokenLimit
            }
        }
    }

    func rule(in context: SchedulingContext) -> String {
        let requests = "requests in flight < \(requestLimit.written)"
        let tokens = "tokens in flight < \(tokenLimit.written)"
        return switch mode {
        case .requests: requests
        case .tokens: tokens
        case .hybrid: "\(requests) and \(tokens)"
        }
    }

    /// The share of one endpoint's capacity that is in use. Capacities are equal, so the mean of the shares is the
    /// share of the sums.
    private func share(of load: EndpointLoad, adding pending: PendingLoad) -> Double {
        let requests = (max(0, Double(load.requests)) + pending.requests) / maxRequests
        let tokens = (max(0, Double(load.tokens)) + pending.tokens) / maxTokens
        return switch mode {
        case .requests: requests
        case .tokens: tokens
        case .hybrid: max(requests, tokens)
        }
    }
}
