import GatewayCore

/// Calls a pool full when its endpoints have a given number of requests in flight on average.
struct RequestBudgetDetector: SaturationDetector {
    static let descriptor = PluginDescriptor(
        type: "request-budget-detector",
        summary: "Calls a pool full when its endpoints have a given number of requests in flight on average."
    )

    private let requestsPerEndpoint: Double

    init(parameters: ParameterDecoder, context: inout PluginContext) {
        requestsPerEndpoint = Double(parameters.int("requestsPerEndpoint", default: 64, in: 1...100_000))
    }

    func saturation(of candidates: Candidates, now: MonotonicInstant) -> Double {
        if candidates.isEmpty { return 1 }
        var requests = 0.0
        for index in 0..<candidates.count { requests += Double(candidates[index].load.requests) }
        return requests / (requestsPerEndpoint * Double(candidates.count))
    }

    func fullness(of endpoint: EndpointSnapshot, adding pending: PendingLoad, now: MonotonicInstant) -> Double? {
        (Double(endpoint.load.requests) + pending.requests) / requestsPerEndpoint
    }
}
