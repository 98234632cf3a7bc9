import GatewayCore

/// Scores endpoints by an attribute, linearly between the ends of a range: one that is given, or the lowest and the
/// highest value of the candidates. An endpoint that has not told the attribute scores 0 and does not count for the
/// range; where all have the same value they score 1.
struct EndpointAttributeScorer: Scorer {
    static let descriptor = PluginDescriptor(
        type: "endpoint-attribute-scorer",
        stability: .alpha,
        summary: "Prefers endpoints of which a number is low, or high."
    )

    private enum Algorithm: String, CaseIterable {
        case lowerIsBetter = "linear_lower_is_better"
        case higherIsBetter = "linear_higher_is_better"
    }

    private let attribute: EndpointAttribute
    private let lowerIsBetter: Bool
    /// `nil` for the range of the candidates.
    private let fixedRange: ClosedRange<Double>?

    /// Reads `attributeKey`, `producer` (default `core-metrics-extractor`) and `algorithm`: its `type`, and its
    /// `normalization` with `fixedRange` (`min`, `max`) or `adaptiveRange` (the default).
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        attribute = EndpointAttribute(parameters, key: "attributeKey", context: &context)
        let algorithm = parameters.requiredObject("algorithm")
        algorithm.require("type")
        lowerIsBetter = algorithm.enumeration("type", default: Algorithm.lowerIsBetter) == .lowerIsBetter
        fixedRange = algorithm.object("normalization").flatMap(Self.fixedRange)
    }

    private static func fixedRange(_ normalization: ParameterDecoder) -> ClosedRange<Double>? {
        let adaptive = normalization.object("adaptiveRange")
        guard let fixed = normalization.object("fixedRange") else { return nil }
        if adaptive != nil { normalization.report("fixedRange and adaptiveRange exclude each other") }
        let lowest = fixed.double("min", default: 0)
        let highest = fixed.double("max", default: 0)
        guard lowest < highest else {
            fixed.report("min \(lowest) is not below max \(highest)")
            return nil
        }
        return lowest...highest
    }

    func score(_ candidates: Candidates, context: SchedulingContext, into scores: inout MutableSpan<Double>) {
        var lowest = Double.infinity
        var highest = -Double.infinity
        for index in scores.indices {
            // Held in the score's place so that the attribute is looked up once; NaN for none.
            let value = attribute.value(on: candidates[index])
            scores[index] = value ?? .nan
            if let value {
                lowest = min(lowest, value)
                highest = max(highest, value)
            }
        }
        if let fixedRange { (lowest, highest) = (fixedRange.lowerBound, fixedRange.upperBound) }
        for index in scores.indices {
            scores[index] = score(scores[index], between: lowest, and: highest)
        }
    }

    /// Halves are subtracted, so that no difference of finite numbers is infinite.
    private func score(_ value: Double, between lowest: Double, and highest: Double) -> Double {
        if value.isNaN { return 0 }
        let range = highest / 2 - lowest / 2
        guard range > 0 else { return 1 }
        let share = min(max((value / 2 - lowest / 2) / range, 0), 1)
        return lowerIsBetter ? 1 - share : share
    }
}
