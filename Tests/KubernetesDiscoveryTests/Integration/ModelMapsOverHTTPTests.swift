import GatewayCore
import GatewayTesting
import KubernetesClient
import KubernetesDiscovery
import Logging
import Testing

@Suite("Maps of adapters are followed over HTTP", .timeLimit(.minutes(1)))
struct ModelMapsOverHTTPTests {
    /// What a watch has told.
    private struct Told: Sendable {
        var mapping = ModelMapping()
        var isSettled = false
    }

    private static func put(
        _ cluster: WatchedCluster,
        _ name: String,
        _ base: String,
        _ adapters: String,
        isManaged: Bool = true
    ) throws {
        try cluster.api.apply([
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": [
                "name": .string(name), "namespace": .string(WatchedCluster.namespace),
                "labels": isManaged ? ["inference.networking.k8s.io/bbr-managed": "true"] : [:],
            ],
            "data": ["baseModel": .string(base), "adapters": .string(adapters)],
        ])
    }

    @Test("The mapping is that of the maps which are there, also after the server was away")
    func follows() async throws {
        try await WatchedCluster.run { cluster in
            try Self.put(cluster, "a", "llama", "- food\n- travel\n")
            try Self.put(cluster, "foreign", "other", "- foreign\n", isManaged: false)
            let told = ObservedState(Told())
            let watch = ModelMapWatch(
                namespace: WatchedCluster.namespace, client: cluster.client,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
                onChange: { mapping in told.update { $0.mapping = mapping } },
                onSettled: { told.update { $0.isSettled = true } }
            )
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await watch.run() }
                let first = try await told.wait(for: "the maps") { $0.isSettled }
                #expect(first.mapping.baseModel(of: "food") == "llama")
                #expect(first.mapping.baseModel(of: "foreign") == nil)
                // What stands in no map any more is forgotten, also when nobody watched as it went.
                try Self.put(cluster, "b", "qwen", "- code\n")
                try await told.wait(for: "another map") { $0.mapping.baseModel(of: "code") == "qwen" }
                try await cluster.api.stopListening()
                cluster.remove("configmaps", "b")
                try Self.put(cluster, "a", "llama", "- food\n")
                try await cluster.api.restart(losingHistory: true)
                let last = try await told.wait(for: "what is left") { $0.mapping.baseModel(of: "travel") == nil }
                #expect(last.mapping.baseModel(of: "food") == "llama")
                try await told.wait(for: "the removal") { $0.mapping.baseModel(of: "code") == nil }
                // A map that is wrong changes nothing.
                try Self.put(cluster, "a", "", "- [")
                try Self.put(cluster, "c", "gemma", "- maths\n")
                let right = try await told.wait(for: "the map after it") { $0.mapping.baseModel(of: "maths") != nil }
                #expect(right.mapping.baseModel(of: "food") == "llama")
                group.cancelAll()
            }
        }
    }

    @Test("That the maps may not be read is known, and so are the maps once they may")
    func forbidden() async throws {
        try await WatchedCluster.run(token: "router") { cluster in
            cluster.api.setToken("router", ScriptedAPIUser(name: "router", rules: []))
            try Self.put(cluster, "a", "llama", "- food\n")
            let told = ObservedState(Told())
            let watch = ModelMapWatch(
                namespace: nil, client: cluster.client,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
                onChange: { mapping in told.update { $0.mapping = mapping } },
                onSettled: { told.update { $0.isSettled = true } }
            )
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await watch.run() }
                #expect(try await told.wait(for: "the refusal") { $0.isSettled }.mapping.isEmpty)
                cluster.api.setToken("router", ScriptedAPIUser(name: "router"))
                try await told.wait(for: "the maps") { $0.mapping.baseModel(of: "food") == "llama" }
                group.cancelAll()
            }
        }
    }
}
