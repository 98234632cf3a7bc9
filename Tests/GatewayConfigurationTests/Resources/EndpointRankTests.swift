import GatewayCore
import Testing

@testable import GatewayConfiguration

/// Entries of endpoint lists that stand for several ports.
@Suite struct EndpointRankTests {
    /// A pool with two target ports and the endpoints `entries`.
    private func text(_ entries: String) -> String {
        """
        apiVersion: inference.networking.k8s.io/v1
        kind: InferencePool
        metadata: {name: llama}
        spec: {selector: {matchLabels: {app: llama}}, targetPorts: [{number: 8000}, {number: 8001}]}
        ---
        kind: Endpoints
        endpoints:
        \(entries)
        """
    }

    /// The endpoints of the pool as `name:port`, and the warnings.
    private func read(_ entries: String) throws -> (endpoints: [String], warnings: [String]) {
        let set = try SampleConfiguration.decode(text(entries))
        let endpoints = set.endpoints(of: try #require(set.pools.first))
        return (endpoints.map { "\($0.id.name):\($0.port)" }, set.warnings.map(\.description))
    }

    @Test func eachPortOfAnEntryIsARank() throws {
        let result = try read(#"- {name: a, address: "::1", ports: ["9000", 9001, "9002"], labels: {app: llama}}"#)
        #expect(result.endpoints == ["a-rank-0:9000", "a-rank-1:9001", "a-rank-2:9002"] && result.warnings.isEmpty)
        #expect(try read("- {name: a, address: h, ports: [1], labels: {app: llama}}").endpoints == ["a-rank-0:1"])
    }

    @Test func ranksShareTheNameOfTheirEntry() throws {
        let entries = """
            - {name: a, address: h, ports: [1, 2], labels: {app: llama}}
            - {name: b, address: h, labels: {app: llama}}
            - {name: c, address: h, port: 7, labels: {app: llama}}
            """
        let set = try SampleConfiguration.decode(text(entries))
        let endpoints = set.endpoints(of: try #require(set.pools.first))
        #expect(endpoints.map(\.podName) == ["a", "a", "b", "b", "c"])
    }

    @Test func anEntryWithoutAPortHasThoseOfItsPool() throws {
        let result = try read(
            """
            - {name: a, address: h, labels: {app: llama}}
            - {name: b, address: h, port: 7, labels: {app: llama}}
            """
        )
        #expect(result.endpoints == ["a-rank-0:8000", "a-rank-1:8001", "b:7"] && result.warnings.isEmpty)
    }

    @Test(arguments: [
        ("llm-d.ai/active-ports: \"8001\"", ["a-rank-1:8001"]),
        ("inference.networking.k8s.io/active-ports: \" 8001 , 8000,\"", ["a-rank-0:8000", "a-rank-1:8001"]),
        // The newer name counts.
        (
            "llm-d.ai/active-ports: \"8000\", inference.networking.k8s.io/active-ports: \"8001\"",
            ["a-rank-0:8000"]
        ),
        ("other/annotation: \"8001\"", ["a-rank-0:8000", "a-rank-1:8001"]),
    ])
    func activePortsLimitTheRanks(annotations: String, expected: [String]) throws {
        for ports in ["", "ports: [8000, 8001], "] {
            let result = try read(
                "- {name: a, address: h, \(ports)labels: {app: llama}, annotations: {\(annotations)}}")
            #expect(result.endpoints == expected && result.warnings.isEmpty)
        }
    }

    @Test(arguments: [
        ("\"\"", ["llm-d.ai/active-ports: no port is active, so none gets requests"]),
        (
            "\"x, 0x1F40\"",
            [
                "llm-d.ai/active-ports: \"x\" is no port of the endpoint",
                "llm-d.ai/active-ports: \" 0x1F40\" is no port of the endpoint",
                "llm-d.ai/active-ports: no port is active, so none gets requests",
            ]
        ),
        (
            "\"70000\"",
            [
                "llm-d.ai/active-ports: \"70000\" is no port of the endpoint",
                "llm-d.ai/active-ports: no port is active, so none gets requests",
            ]
        ),
    ])
    func withoutAUsablePortNoneIsActive(value: String, expected: [String]) throws {
        for ports in ["", "ports: [8000, 8001], ", "port: 8000, "] {
            let entry = "- {name: a, address: h, \(ports)labels: {app: llama}, "
            let result = try read(entry + "annotations: {llm-d.ai/active-ports: \(value)}}")
            #expect(result.endpoints.isEmpty)
            #expect(result.warnings.count == expected.count)
            for (warning, text) in zip(result.warnings, expected) {
                #expect(warning.contains("endpoints[0].annotations: ") && warning.hasSuffix(text), "\(warning)")
            }
        }
    }

    @Test func anActivePortThatNoRankHasIsTold() throws {
        let own = try read(
            "- {name: a, address: h, ports: [8000], labels: {app: llama}, "
                + "annotations: {llm-d.ai/active-ports: \"8000,8001\"}}"
        )
        #expect(own.endpoints == ["a-rank-0:8000"])
        #expect(own.warnings.count == 1 && own.warnings[0].hasSuffix("\"8001\" is no port of the endpoint"))
        let pools = try read(
            "- {name: a, address: h, labels: {app: llama}, annotations: {llm-d.ai/active-ports: \"9\"}}"
        )
        #expect(pools.endpoints.isEmpty)
        let warning =
            "endpoints[0]: gets no requests: none of its active ports is a target port of the pool (8000, 8001)"
        #expect(pools.warnings.count == 1 && pools.warnings[0].hasSuffix(warning), "\(pools.warnings)")
    }

    @Test(arguments: [
        ("ports: [1, 2, 1]", "endpoints[0].ports[2]: the port 1 is listed twice"),
        ("ports: [1, \"x\"]", "endpoints[0].ports[1]: \"x\" is not a port in 1 to 65535"),
        ("ports: [0]", "endpoints[0].ports[0]: 0 is not a port in 1 to 65535"),
        ("ports: []", "endpoints[0].ports: an endpoint has 1 to 8 ports, not 0"),
        ("ports: [1, 2, 3, 4, 5, 6, 7, 8, 9]", "endpoints[0].ports: an endpoint has 1 to 8 ports, not 9"),
        ("port: 1, ports: [1]", "endpoints[0].ports: \"port\" and \"ports\" say the same thing twice"),
        ("port: 1.5", "endpoints[0].port: 1.5 is not a port in 1 to 65535"),
        ("port: 70000", "endpoints[0].port: 70000 is not a port in 1 to 65535"),
        ("port: 1, annotations: {llm-d.ai/active-ports: 1}", "endpoints[0].annotations[\"llm-d.ai/active-ports\"]: "),
    ])
    func mistakesAreNamed(fields: String, expected: String) {
        let problems = SampleConfiguration.problems(text("- {name: a, address: h, \(fields)}"))
        #expect(problems.count == 1 && problems.allSatisfy { $0.contains(expected) }, "\(problems)")
    }

    @Test(arguments: [
        ("{name: a-rank-1, address: h, port: 1}", "default/a-rank-1"), ("{name: a, address: h, port: 1}", "default/a"),
    ])
    func ranksTakeTheirNames(other: String, name: String) {
        for ports in ["", ", ports: [1, 2]"] {
            let problems = SampleConfiguration.problems(text("- {name: a, address: h\(ports)}\n- \(other)"))
            #expect(problems.count == 1 && problems.allSatisfy { $0.contains("a second endpoint \(name); the first") })
        }
    }
}
