import GatewayCore

/// Chooses by labels, as the selectors of Kubernetes do. All requirements must hold; without one everything matches.
struct LabelSelector: Sendable, CustomStringConvertible {
    /// How a label is compared.
    enum Operator: String, CaseIterable {
        case isIn = "In"
        case isNotIn = "NotIn"
        case exists = "Exists"
        case doesNotExist = "DoesNotExist"
    }

    /// What one label must be.
    struct Requirement: Hashable, CustomStringConvertible {
        /// The label's key.
        let key: String
        /// How its value is compared.
        let comparison: Operator
        /// What it is compared with; empty where only its being there counts.
        let values: Set<String>

        /// Whether something with `labels` is as required.
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

        var description: String {
            let list = values.sorted().joined(separator: ", ")
            return switch comparison {
            case .isIn: values.count == 1 ? "\(key)=\(list)" : "\(key) in (\(list))"
            case .isNotIn: values.count == 1 ? "\(key)!=\(list)" : "\(key) notin (\(list))"
            case .exists: key
            case .doesNotExist: "!\(key)"
            }
        }
    }

    /// What must hold.
    let requirements: [Requirement]

    /// Makes a selector.
    init(_ requirements: [Requirement]) {
        self.requirements = requirements
    }

    /// Reads `matchLabels` and `matchExpressions` (`key`, `operator`, `values`).
    init(_ parameters: ParameterDecoder) {
        requirements =
            parameters.stringMap("matchLabels").sorted { $0.key < $1.key }
            .map { Requirement(key: $0.key, comparison: .isIn, values: [$0.value]) }
            + parameters.objects("matchExpressions").map(Self.requirement)
    }

    private static func requirement(_ expression: ParameterDecoder) -> Requirement {
        let key = expression.requiredString("key")
        let comparison = expression.enumeration("operator", of: Operator.self)
        expression.require("operator")
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

    /// The text form that `kubectl --selector` takes.
    var description: String { requirements.map(\.description).joined(separator: ", ") }

    /// Whether something with `labels` is selected.
    func matches(_ labels: [String: String]) -> Bool {
        requirements.allSatisfy { $0.accepts(labels) }
    }
}
