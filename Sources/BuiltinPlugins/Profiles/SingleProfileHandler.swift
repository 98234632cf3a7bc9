import GatewayCore

/// Runs the one profile of a pipeline and takes its result.
struct SingleProfileHandler: OneProfileHandler {
    static let descriptor = PluginDescriptor(
        type: "single-profile-handler",
        summary: "Runs the only scheduling profile."
    )

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func decide(
        _ profiles: [String],
        progress: [ProfileProgress],
        context: inout SchedulingContext
    ) throws(Rejection) -> SchedulingDecision {
        SchedulingDecision(primary: try onlyResult(progress))
    }
}
