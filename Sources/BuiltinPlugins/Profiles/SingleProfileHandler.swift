import GatewayCore

/// Runs the one profile of a pipeline and takes its result.
struct SingleProfileHandler: ProfileHandler {
    static let descriptor = PluginDescriptor(
        type: "single-profile-handler",
        summary: "Runs the only scheduling profile."
    )

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func nextProfiles(
        _ profiles: [String],
        progress: [ProfileProgress],
        context: inout SchedulingContext
    ) -> [Int] {
        progress[0].hasRun ? [] : [0]
    }

    func decide(
        _ profiles: [String],
        progress: [ProfileProgress],
        context: inout SchedulingContext
    ) throws(Rejection) -> SchedulingDecision {
        guard let result = progress[0].result else {
            throw Rejection(.saturated, "no endpoints available for the given request")
        }
        return SchedulingDecision(primary: result)
    }
}
