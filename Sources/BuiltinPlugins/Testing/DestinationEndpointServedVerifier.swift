import GatewayCore

/// Tells in each response which endpoint the proxy says has served it, so that the conformance suite can check that the
/// proxy says so and followed the choice. Not for production: it shows endpoints' addresses to clients.
struct DestinationEndpointServedVerifier: ResponseHeaderProcessor {
    static let descriptor = PluginDescriptor(
        type: "destination-endpoint-served-verifier",
        summary: "Tells in each response which endpoint served it, as the proxy reports; for conformance tests only."
    )

    /// It has no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func responseFields(of response: ServedResponse) -> [HeaderMutation.Field] {
        let value = response.served ?? "fail: missing destination endpoint served metadata"
        return [HeaderMutation.Field(name: "x-conformance-test-served-endpoint", value: value)]
    }
}
