import ExtProcProto

/// What the endpoint picker says of its health, by the names that probes and proxies ask for.
struct EppHealth: Sendable {
    /// The names, as a list of services shows them.
    static let names = [
        "", liveness, "readiness", "envoy.service.ext_proc.v3.ExternalProcessor", "inference-extension",
    ]

    private static let liveness = "liveness"

    let readiness: Readiness

    /// The health of `service`; `nil` for a name that nobody should ask for.
    func status(of service: String) -> ServingStatus? {
        guard Self.names.contains(service) else { return nil }
        // Whoever can answer is alive.
        if service == Self.liveness { return .serving }
        return readiness.isReady ? .serving : .notServing
    }
}
