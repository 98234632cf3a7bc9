import GatewayCore

/// A handler of pipelines with one profile, which runs it.
protocol OneProfileHandler: ProfileHandler {}

extension OneProfileHandler {
    func nextProfiles(_ profiles: [String], progress: [ProfileProgress], context: inout SchedulingContext) -> [Int] {
        progress[0].hasRun ? [] : [0]
    }

    /// What the profile found.
    ///
    /// - Throws: ``Rejection/noEndpoint`` when it found nobody.
    func onlyResult(_ progress: [ProfileProgress]) throws(Rejection) -> ProfileResult {
        guard let result = progress[0].result else { throw .noEndpoint }
        return result
    }
}

extension Rejection {
    /// The profile that ran left no endpoint.
    static let noEndpoint = Rejection(.saturated, "no endpoints available for the given request")
}
