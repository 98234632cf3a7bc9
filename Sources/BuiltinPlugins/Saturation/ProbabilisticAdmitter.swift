import GatewayCore

/// Refuses more and more of the requests with a negative priority as the pool fills.
///
/// With the mean s of ``EngineUtilization/share(of:)`` over the candidates, a request is refused with the probability
/// `min(1, k * s^power)`: with the defaults one in ten at a fifth of the thresholds, all from a third on. Requests with
/// a priority of 0 or more are always admitted. Metrics count whatever their age.
struct ProbabilisticAdmitter: Admitter {
    static let descriptor = PluginDescriptor(
        type: "probabilistic-admitter",
        summary: "Refuses requests of negative priority with a probability that rises with the pool's load."
    )

    private let utilization: EngineUtilization
    private let power: Double
    private let factor: Double

    /// Reads `queueDepthThreshold` (default 5), `kvCacheUtilThreshold` (default 0.8; above 0), `power` (default 5;
    /// above 0, at most 1,000) and `k` (default 300; above 0).
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        utilization = EngineUtilization(parameters: parameters)
        power = parameters.positive("power", default: 5, atMost: 1_000)
        factor = parameters.positive("k", default: 300)
    }

    func admit(_ candidates: Candidates, context: inout SchedulingContext) throws(Rejection) {
        let priority = context.request.priority
        guard priority < 0, context.random.unit() < refusalProbability(candidates) else { return }
        throw Rejection(
            .saturated,
            "request cannot be admitted: the pool fills up, and a part of the requests with the priority \(priority) "
                + "is refused"
        )
    }

    /// The probability of a refusal, 0 ... 1.
    func refusalProbability(_ candidates: Candidates) -> Double {
        guard !candidates.isEmpty else { return 0 }
        var sum = 0.0
        for position in candidates.positions { sum += utilization.share(of: candidates.all[position].metrics) }
        return min(1, factor * (sum / Double(candidates.count)).raised(to: power))
    }
}

extension Double {
    /// This number, which is 0 or more, to the power of `exponent`, which is 0 ... 1,000.
    ///
    /// The standard library has no such function. The whole part of the exponent is done by squaring; each binary digit
    /// of the fraction by a root: x^0.101₂ is √x · ⁸√x.
    func raised(to exponent: Double) -> Double {
        var result = 1.0
        var power = self
        var whole = UInt64(exponent)
        while whole > 0 {
            if whole & 1 == 1 { result *= power }
            power *= power
            whole >>= 1
        }
        var fraction = exponent - exponent.rounded(.down)
        var root = squareRoot()
        while fraction > 0 {
            fraction *= 2
            if fraction >= 1 {
                result *= root
                fraction -= 1
            }
            root = root.squareRoot()
        }
        return result
    }
}
