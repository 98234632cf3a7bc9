import GatewayCore

/// Keeps the endpoints that a request's own header names, so that the conformance suite can say who is to serve it. Not
/// for production: a client chooses the endpoint.
struct HeaderBasedTestingFilter: Filter {
    static let descriptor = PluginDescriptor(
        type: "header-based-testing-filter",
        summary: "Keeps the endpoints that the header test-epp-endpoint-selection names; for conformance tests only."
    )

    /// The header: a list of `ip` and `ip:port` with commas.
    static let header: StaticString = "test-epp-endpoint-selection"

    /// It has no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {
        let headers = context.request.headers
        guard headers.first(Self.header) != nil else { return }
        let values = headers.fields.lazy.filter { $0.name.equalsIgnoringASCIICase(Self.header) }.map(\.value)
        let chosen = EndpointSubset(Array(values))
        candidates.keep { chosen.contains($0.address) }
    }

    func rule(in context: SchedulingContext) -> String {
        "the address is in \(Self.header): \(context.request.headers.first(Self.header) ?? "")"
    }
}
