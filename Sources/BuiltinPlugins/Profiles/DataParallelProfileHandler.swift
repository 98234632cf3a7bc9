import GatewayCore

/// Runs the one profile of a pipeline whose endpoints are data-parallel ranks, and sends requests to the port that all
/// ranks of a host share; the sidecar that listens there learns the rank from the header.
struct DataParallelProfileHandler: OneProfileHandler {
    static let descriptor = PluginDescriptor(
        type: "data-parallel-profile-handler",
        summary: "Picks a data-parallel rank and sends the request to its host's primary port."
    )

    private let primaryPort: Int

    /// Reads `primaryPort` (default 8000).
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        primaryPort = parameters.int("primaryPort", default: 8000, in: 1...65_535)
    }

    func objections(to profiles: [String]) -> [ProfileObjection] {
        guard profiles.count != 1 else { return [] }
        return [.error("data-parallel-profile-handler runs one profile, there are \(profiles.count)")]
    }

    func decide(
        _ profiles: [String],
        progress: [ProfileProgress],
        context: inout SchedulingContext
    ) throws(Rejection) -> SchedulingDecision {
        let result = try onlyResult(progress)
        context.requestHeaders.overwrite(
            SidecarHeaders.dataParallelRank,
            with: result.endpoints[0].address.authority
        )
        return SchedulingDecision(primary: result, destinationPort: primaryPort)
    }
}
