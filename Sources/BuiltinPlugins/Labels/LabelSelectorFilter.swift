import GatewayCore

/// Keeps the endpoints whose labels match a selector in the form of Kubernetes; an empty selector matches all.
struct LabelSelectorFilter: Filter {
    static let descriptor = PluginDescriptor(
        type: "label-selector-filter",
        summary: "Keeps endpoints whose labels match a Kubernetes label selector."
    )

    private enum Operator: String, CaseIterable {
        case isIn = "In"
        case isNotIn = "NotIn"
        case exists = "Exists"
        case doesNotExist = "DoesNotExist"
    }

    private struct Requirement {
        let key: String
        let comparison: Operator
        let values: Set<String>

        func accepts(_ labels: [String: String]) -> Bool {
            switch (comparison, labels[key]) {
            case (.isIn, let value?): values.contains(value)
            case (.isIn, nil): false
            // A label that is absent is not one of the values.
            case (.isNotIn, let value): value.map { !values.contains($0) } ?? true
            case (.exists, let value): value != nil
            case (.doesNotExist, let value): value == nil
            }
        }
    }

    private let requirements: [Requirement]

    /// Reads `matchLabels` and `matchExpressions` (`key`, `operator`, `values`).
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        var requirements = parameters.stringMap("matchLabels").sorted { $0.key < $1.key }
            .map { Requirement(key: $0.key, comparison: .isIn, values: [$0.value]) }
        for expression in parameters.objects("matchExpressions") {
            requirements.append(Self.requirement(expression))
        }
        self.requirements = requirements
    }

    private static func requirement(_ expression: ParameterDecoder) -> Requirement {
        let key = expression.requiredString("key")
        let comparison = expression.enumeration("operator", of: Operator.self)
        if !expression.contains("operator") { expression.report("required field \"operator\" is missing") }
        let values = expression.strings("values")
        switch comparison {
        case .isIn where values.isEmpty, .isNotIn where values.isEmpty:
            expression.report("operator \(comparison?.rawValue ?? "") needs at least one value", at: "values")
        case .exists where !values.isEmpty, .doesNotExist where !values.isEmpty:
            expression.report("operator \(comparison?.rawValue ?? "") takes no values", at: "values")
        default:
            break
        }
        return Requirement(key: key, comparison: comparison ?? .exists, values: Set(values))
    }

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {
        guard !requirements.isEmpty else { return }
        candidates.keep { endpoint in
            requirements.allSatisfy { $0.accepts(endpoint.labels) }
        }
    }
}
