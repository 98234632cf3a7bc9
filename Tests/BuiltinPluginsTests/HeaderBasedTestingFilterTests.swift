import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

@Suite struct HeaderBasedTestingFilterTests {
    private static let addresses = [("10.0.0.1", 80), ("10.0.0.1", 81), ("10.0.0.2", 80), ("2001:db8::1", 80)]

    /// The endpoints that are left for a request with these values of the header.
    private func kept(_ values: String...) throws -> [String] {
        let endpoints = Self.addresses.enumerated().map { slot, address in
            EndpointSnapshot(
                id: EndpointID(name: "e\(slot)"),
                slot: slot,
                incarnation: 0,
                address: EndpointAddress(host: address.0, port: address.1),
                labels: [:],
                metrics: EndpointMetrics(),
                metricsUpdatedAt: nil
            )
        }
        let fields = values.map { HeaderMap.Field(name: "Test-EPP-Endpoint-Selection", value: $0) }
        var candidates = Candidates(endpoints)
        var context = SchedulingContext.sample(
            InferenceRequest(id: "r", model: "m", headers: HeaderMap(fields)))
        try make(HeaderBasedTestingFilter.self).filter(&candidates, context: &context)
        return candidates.positions.map { candidates.all[$0].id.name }
    }

    @Test func keepsThoseThatTheHeaderNames() throws {
        #expect(try kept() == ["e0", "e1", "e2", "e3"])
        #expect(try kept("10.0.0.1") == ["e0", "e1"])
        #expect(try kept("10.0.0.1:81") == ["e1"])
        #expect(try kept(" 10.0.0.2 , 10.0.0.1:80,") == ["e0", "e2"])
        #expect(try kept("10.0.0.1:80", "10.0.0.2") == ["e0", "e2"])
        #expect(try kept("[2001:db8::1]:80") == ["e3"])
        #expect(try kept("[2001:db8::1]") == ["e3"])
    }

    @Test func keepsNobodyWhenNobodyIsNamed() throws {
        for value in ["", " , ", "10.0.0.9", "10.0.0.1:90", "no endpoint"] { #expect(try kept(value) == []) }
    }

    @Test func takesNoParameters() {
        #expect(failure(HeaderBasedTestingFilter.self, ["header": "x"])?.contains("unknown field") == true)
    }
}
