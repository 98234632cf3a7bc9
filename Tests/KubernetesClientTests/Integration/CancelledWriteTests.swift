import GatewayTesting
import KubernetesClient
import Testing

@Suite("Writes that are given up", .timeLimit(.minutes(1)))
struct CancelledWriteTests {
    private struct Body: Encodable {
        let spec: [String: Int]
    }

    @Test("A write may be given up in the moment when its answer comes")
    func cancelled() async throws {
        let api = try await ScriptedKubernetesAPI.start()
        api.register(FollowedServer.type)
        try api.apply([
            "apiVersion": "tests.example/v1", "kind": "Gadget", "metadata": ["name": "a", "namespace": "ns"],
            "spec": ["size": 0],
        ])
        try await withTransport(.plain(port: api.port)) { transport in
            let client = APIClient(transport: transport)
            let name = ObjectName(namespace: "ns", name: "a")
            for round in 1...100 {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    let asked = api.log.value.requestCount
                    for size in 0..<32 {
                        group.addTask {
                            // Whether the answer is still seen is a matter of chance.
                            _ = try? await client.mergePatch(Gadget.resource, name, body: Body(spec: ["size": size]))
                        }
                    }
                    try await api.log.wait(for: "answers of round \(round)") { $0.requestCount >= asked + round % 32 }
                    group.cancelAll()
                }
            }
            _ = try await client.mergePatch(Gadget.resource, name, body: Body(spec: ["size": 99]))
            let last = try await client.get(Gadget.resource, name, as: Gadget.self)
            #expect(last.spec.size == 99)
        }
        try await api.stop()
    }
}
