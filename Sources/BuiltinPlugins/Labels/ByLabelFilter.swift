import GatewayCore

/// Keeps the endpoints of which one label has one of some values.
struct ByLabelFilter: Filter {
    static let descriptor = PluginDescriptor(
        type: "by-label",
        summary: "Keeps endpoints of which a label has one of some values.",
        deprecation: "use label-selector-filter, or decode-filter, prefill-filter and encode-filter for roles"
    )

    private let label: LabelValues

    /// Reads `label`, which is required, `validValues`, and `allowsNoLabel` (default false). Without values only
    /// endpoints without the label could pass, so one of the two must be given.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        label = LabelValues(
            key: parameters.requiredString("label"),
            values: Set(parameters.strings("validValues")),
            allowsAbsence: parameters.bool("allowsNoLabel", default: false)
        )
        if label.values.isEmpty, !label.allowsAbsence {
            parameters.report("needs at least one value unless allowsNoLabel is true", at: "validValues")
        }
    }

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {
        candidates.keep { label.accepts($0.labels) }
    }

    func rule(in context: SchedulingContext) -> String { label.rule }
}
