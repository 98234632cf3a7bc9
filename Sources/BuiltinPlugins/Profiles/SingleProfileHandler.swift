package import GatewayCore

/// Runs the one profile of a pipeline and takes its result.
package struct SingleProfileHandler: ProfileHandler {
    package static let descriptor = PluginDescriptor(
        type: "single-profile-handler",
        summary: "Runs the only scheduling profile."
    )

    /// Takes no parameters.
    package init(parameters: ParameterDecoder, context: inout PluginContext) {}

    package func nextProfiles(
        _ profiles: [String],
        progress: [ProfileProgress],
        context: SchedulingContext
    ) -> [Int] {
        progress[0].hasRun ? [] : [0]
    }

    package func decide(
        _ profiles: [String],
        progress: [ProfileProgress],
        context: SchedulingContext
    ) throws(Rejection) -> SchedulingDecision {
        guard let result = progress[0].result else {
            throw Rejection(.saturated, "scheduling profile '\(profiles[0])' found no endpoint")
        }
        return SchedulingDecision(primary: result)
    }
}
