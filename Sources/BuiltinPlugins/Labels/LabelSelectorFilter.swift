import GatewayCore

/// Keeps the endpoints whose labels match a selector in the form of Kubernetes; an empty selector matches all.
struct LabelSelectorFilter: Filter {
    static let descriptor = PluginDescriptor(
        type: "label-selector-filter",
        summary: "Keeps endpoints whose labels match a Kubernetes label selector."
    )

    private let selector: LabelSelector
    private let rule: String

    /// Reads `matchLabels` and `matchExpressions` (`key`, `operator`, `values`).
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        selector = LabelSelector(parameters)
        rule = selector.description
    }

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {
        guard !selector.requirements.isEmpty else { return }
        candidates.keep { selector.matches($0.labels) }
    }

    func rule(in context: SchedulingContext) -> String { rule }
}
