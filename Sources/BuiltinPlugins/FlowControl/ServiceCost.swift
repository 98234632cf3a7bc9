import GatewayCore

/// What the requests of a flow cost in tokens: what a policy of token fairness is configured with.
///
/// A request costs `inputWeight` for each prompt token that has to be computed for it, and `outputWeight` for each
/// token that is generated.
struct ServiceCost: Sendable {
    /// More tokens than this are not believed, whoever says so: sums of costs stay exact to a token.
    private static let mostTokens = 1_000_000_000

    /// The cost of a prompt token that has to be computed.
    let inputWeight: Double
    /// The cost of a generated token.
    let outputWeight: Double
    /// The share of a flow against others', by its fairness id.
    private let shares: [String: Double]

    /// Reads `inputWeight` (default 1) and `outputWeight` (default 2), both 0 to 1,000, and `weights`: an object of
    /// numbers of 0.001 to 1,000,000 by fairness id; 1 for whoever is not in it.
    init(parameters: ParameterDecoder) {
        inputWeight = parameters.double("inputWeight", default: 1, in: 0...1_000)
        outputWeight = parameters.double("outputWeight", default: 2, in: 0...1_000)
        if inputWeight == 0, outputWeight == 0 {
            parameters.report("inputWeight and outputWeight are both 0: no request would cost anything")
        }
        var shares: [String: Double] = [:]
        if let weights = parameters.object("weights") {
            for id in weights.keys { shares[id] = weights.double(id, in: 0.001...1_000_000) }
        }
        self.shares = shares
    }

    /// The share of the flow with this fairness id, above 0.
    func share(of id: String) -> Double { shares[id] ?? 1 }

    /// The cost of a request of which `uncachedTokens` are to be computed and `outputTokens` are expected; never
    /// negative.
    func cost(uncachedTokens: Int, outputTokens: Double) -> Double {
        inputWeight * Self.count(uncachedTokens) + outputWeight * outputTokens
    }

    /// What a request cost by what its response reported; never negative.
    func cost(of usage: TokenUsage) -> Double {
        let uncached = max(0, Self.count(usage.promptTokens) - Self.count(usage.cachedTokens))
        return inputWeight * uncached + outputWeight * Self.count(usage.completionTokens)
    }

    /// A count of tokens that others told, as one that can be reckoned with.
    static func count(_ tokens: Int) -> Double { Double(min(max(0, tokens), mostTokens)) }
}

/// How many tokens the responses of the flows of a band had lately: exponential means, of which each response counts
/// for a tenth.
struct ExpectedOutput: Sendable {
    private static let gain = 0.1

    /// The mean of all flows; `nil` before the first response.
    private var overall: Double?
    /// By flow.
    private var means = FlowTable<Double>()

    mutating func remove(_ flow: Int) {
        means[flow] = nil
    }

    /// The tokens that the next response of `flow` is expected to have: the mean of the flow's own, before any that of
    /// all flows, and before any of those 0.
    func tokens(of flow: Int) -> Double { means[flow] ?? overall ?? 0 }

    /// A response of `flow` had `tokens` tokens.
    mutating func learn(_ tokens: Int, from flow: Int) {
        let tokens = ServiceCost.count(tokens)
        overall = Self.mean(overall, tokens)
        means[flow] = Self.mean(means[flow], tokens)
    }

    private static func mean(_ mean: Double?, _ next: Double) -> Double {
        mean.map { $0 + gain * (next - $0) } ?? next
    }
}

/// One value for each flow that is known, by its number. Numbers that no engine gives out have no value and keep none.
struct FlowTable<Value: Sendable>: Sendable {
    /// Numbers of flows are below; see ``GatewayCore/WaitingFlow/flow``.
    private static var mostFlows: Int { 1 << 20 }

    private var values: [Value?] = []

    subscript(flow: Int) -> Value? {
        get { values.indices.contains(flow) ? values[flow] : nil }
        set {
            if values.indices.contains(flow) {
                values[flow] = newValue
            } else if let newValue, (0..<Self.mostFlows).contains(flow) {
                while values.count < flow { values.append(nil) }
                values.append(newValue)
            }
        }
    }

    /// Replaces each value.
    mutating func update(_ change: (inout Value) -> Void) {
        for index in values.indices {
            guard var value = values[index] else { continue }
            change(&value)
            values[index] = value
        }
    }
}
