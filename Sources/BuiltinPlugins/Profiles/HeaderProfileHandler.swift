import GatewayCore

/// Runs the profile that a request's header names.
struct HeaderProfileHandler: ProfileHandler {
    static let descriptor = PluginDescriptor(
        type: "header-profile-handler",
        stability: .alpha,
        summary: "Runs the scheduling profile that the request's header names."
    )

    private let header: String
    private let defaultProfile: String

    /// Reads `headerName` (default `EPP-Profile`) and `defaultProfile` (`decode`), which runs for requests without the
    /// header.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        header = parameters.headerName("headerName") ?? "EPP-Profile"
        defaultProfile = parameters.profile("defaultProfile", default: "decode")
    }

    func objections(to profiles: [String]) -> [ProfileObjection] {
        guard profiles.count > 1, !profiles.contains(defaultProfile) else { return [] }
        let what = "there is no scheduling profile '\(defaultProfile)'"
        return [.warning("requests without the header '\(header)' are refused: \(what)")]
    }

    func nextProfiles(_ profiles: [String], progress: [ProfileProgress], context: inout SchedulingContext) -> [Int] {
        guard !progress.contains(where: \.hasRun) else { return [] }
        if profiles.count == 1 { return [0] }
        return profiles.firstIndex(of: wanted(context.request)).map { [$0] } ?? []
    }

    func decide(
        _ profiles: [String],
        progress: [ProfileProgress],
        context: inout SchedulingContext
    ) throws(Rejection) -> SchedulingDecision {
        if let result = progress.lazy.compactMap(\.result).first { return SchedulingDecision(primary: result) }
        guard progress.contains(where: \.hasRun) else {
            throw Rejection(.saturated, "there is no scheduling profile '\(wanted(context.request))'")
        }
        throw .noEndpoint
    }

    /// The profile that `request` names, with its case as it is; an empty header counts as none.
    private func wanted(_ request: InferenceRequest) -> String {
        let named = request.headers.first(named: header)?.trimmingWhitespace() ?? ""
        return named.isEmpty ? defaultProfile : named
    }
}
