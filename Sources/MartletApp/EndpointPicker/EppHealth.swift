import ExtProcProto

/// What the endpoint picker says of its health, by the names that probes and proxies ask for: those of llm-d's endpoint
/// picker, with the same answers, except that a draining process is alive.
struct EppHealth: Sendable {
    private static let liveness = "liveness"
    private static let readinessName = "readiness"
    private static let externalProcessor = "envoy.service.ext_proc.v3.ExternalProcessor"

    let readiness: Readiness

    /// The names, as a list of services shows them.
    var names: [String] {
        [Self.externalProcessor] + (readiness.isElected ? [Self.liveness, Self.readinessName] : [])
    }

    /// The health of `service`.
    ///
    /// Where replicas elect a leader, only the leader is ready and every one of them is alive, so that a follower is
    /// not restarted for being one. Else there is one answer for all names but liveness, also for names not known:
    /// charts ask by different ones.
    func status(of service: String) -> ServingStatus {
        if service == Self.liveness { return readiness.isElected || readiness.isLive ? .serving : .notServing }
        let isKnown = ["", Self.readinessName, Self.externalProcessor].contains(service)
        if readiness.isElected, !isKnown { return .serviceUnknown }
        return readiness.isReady ? .serving : .notServing
    }
}
