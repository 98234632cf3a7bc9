import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

@Suite struct ServedVerifierTests {
    @Test(arguments: [("10.0.0.1:8000", "10.0.0.1:8000"), (nil, "fail: missing destination endpoint served metadata")])
    func tellsWhoServed(served: String?, expected: String) throws {
        let verifier = try make(DestinationEndpointServedVerifier.self)
        let result = ProfileResult(profile: "default", endpoints: [.sample("e0")])
        let fields = verifier.responseFields(
            of: ServedResponse(request: .sample(), decision: SchedulingDecision(primary: result), served: served)
        )
        #expect(fields == [.init(name: "x-conformance-test-served-endpoint", value: expected)])
    }
}
