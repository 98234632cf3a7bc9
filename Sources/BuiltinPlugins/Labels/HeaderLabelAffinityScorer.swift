import GatewayCore

/// Prefers the endpoints of which a label has the value of a request header: 1 for those, 0 for all others and when the
/// request has no such header.
struct HeaderLabelAffinityScorer: Scorer {
    static let descriptor = PluginDescriptor(
        type: "header-label-affinity-scorer",
        stability: .alpha,
        summary: "Prefers endpoints of which a label has the value of a request header."
    )

    private let header: String
    private let label: String

    /// Reads `headerName` and `labelKey`; both are required.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        header = parameters.requiredHeaderName("headerName")
        label = parameters.requiredString("labelKey")
    }

    func score(_ candidates: Candidates, context: SchedulingContext, into scores: inout MutableSpan<Double>) {
        guard let wanted = context.request.headers.first(named: header), !wanted.isEmpty else { return }
        for index in scores.indices where candidates[index].labels[label] == wanted { scores[index] = 1 }
    }
}
