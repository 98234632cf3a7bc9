import GatewayCore

/// Keeps the endpoints whose attribute compares true with a threshold.
struct EndpointAttributeFilter: Filter {
    static let descriptor = PluginDescriptor(
        type: "endpoint-attribute-filter",
        stability: .alpha,
        summary: "Keeps endpoints of which a number compares true with a threshold."
    )

    private enum Comparison: String, CaseIterable {
        case isLess = "LessThan"
        case isLessOrEqual = "LessThanOrEqual"
        case isGreater = "GreaterThan"
        case isGreaterOrEqual = "GreaterThanOrEqual"
        case isEqual = "Equal"
        case isNotEqual = "NotEqual"

        func holds(_ value: Double, _ threshold: Double) -> Bool {
            switch self {
            case .isLess: value < threshold
            case .isLessOrEqual: value <= threshold
            case .isGreater: value > threshold
            case .isGreaterOrEqual: value >= threshold
            case .isEqual: value == threshold
            case .isNotEqual: value != threshold
            }
        }

        var sign: String {
            switch self {
            case .isLess: "<"
            case .isLessOrEqual: "<="
            case .isGreater: ">"
            case .isGreaterOrEqual: ">="
            case .isEqual: "=="
            case .isNotEqual: "!="
            }
        }
    }

    private enum Missing: String, CaseIterable {
        case pass = "Pass"
        case fail = "Fail"
    }

    private enum Algorithm: String, CaseIterable {
        case threshold
    }

    private let attribute: EndpointAttribute
    private let passesMissing: Bool
    private let fallsBack: Bool
    private let comparison: Comparison
    private let threshold: Double
    private let rule: String

    /// Reads `attribute`, `producer` (default `core-metrics-extractor`), `onMissing` (`Pass`, the default, or `Fail`),
    /// `fallbackOnEmpty` (default `false`) and `algorithm`, whose `type` is `threshold` and whose `threshold` has
    /// `operator` and `value`.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        attribute = EndpointAttribute(parameters, key: "attribute", context: &context)
        passesMissing = parameters.enumeration("onMissing", default: Missing.pass) == .pass
        fallsBack = parameters.bool("fallbackOnEmpty", default: false)
        let algorithm = parameters.requiredObject("algorithm")
        algorithm.require("type")
        _ = algorithm.enumeration("type", of: Algorithm.self)
        let parts = algorithm.requiredObject("threshold")
        parts.require("operator", "value")
        comparison = parts.enumeration("operator", default: .isLess)
        threshold = parts.double("value", default: 0)
        rule =
            "\(attribute.name) \(comparison.sign) \(threshold.written)" + (passesMissing ? ", or it is not told" : "")
    }

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {
        candidates.keep(orAll: fallsBack) { endpoint in
            attribute.value(on: endpoint).map { comparison.holds($0, threshold) } ?? passesMissing
        }
    }

    func rule(in context: SchedulingContext) -> String { rule }
}
