import DataLayer
import GatewayConfiguration
import GatewayCore
import GatewayTesting
import Testing

@testable import MartletApp

@Suite("Ranks that come and go") struct RankReloadTests {
    /// What a configuration makes of one host with `fields`.
    private func endpoints(_ fields: String) throws -> [EndpointDescription] {
        let documents = """
            apiVersion: inference.networking.k8s.io/v1
            kind: InferencePool
            metadata: {name: a}
            spec: {selector: {matchLabels: {app: a}}, targetPorts: [{number: 8000}, {number: 8001}]}
            ---
            endpoints: [{name: host, address: 10.0.0.1, labels: {app: a}\(fields)}]
            """
        let set = try ConfigurationSet.decode(
            documents: try ConfigurationSet.documents(text: documents, file: "config.yaml")
        )
        return try GatewayPlan(set, options: ServeOptions()).pools[0].endpoints
    }

    @Test("leave the others as they are") func others() throws {
        let store = EndpointStore(pool: PoolID(name: "a"), clock: ManualClock())
        store.replaceEndpoints(try endpoints(""))
        #expect(store.current.endpoints.map(\.id.name) == ["host-rank-0", "host-rank-1"])
        #expect(store.current.endpoints.map(\.address.port) == [8_000, 8_001])
        let first = store.current.endpoints[1]
        let lease = store.open(first, tokens: 5)
        store.replaceEndpoints(try endpoints(", annotations: {llm-d.ai/active-ports: \"8001\"}"))
        let alone = try #require(store.current.endpoints.first)
        #expect(store.current.endpoints.count == 1 && alone.id.name == "host-rank-1")
        #expect(EndpointLife(alone) == EndpointLife(first) && alone.load.requests == 1)
        store.replaceEndpoints(try endpoints(", ports: [8000, 8001, 8002]"))
        let all = store.current.endpoints
        #expect(all.map(\.id.name) == ["host-rank-0", "host-rank-1", "host-rank-2"])
        #expect(EndpointLife(all[1]) == EndpointLife(first) && all.map(\.load.requests) == [0, 1, 0])
        lease.close(.completed)
        #expect(all[1].load.requests == 0)
    }
}
