import GatewayConfiguration
import GatewayCore
import GatewayTesting
import KubernetesClient
import KubernetesDiscovery
import Logging
import Synchronization
import Testing

@Suite("A pool that is followed over HTTP", .timeLimit(.minutes(2)))
struct ClusterHistoryTests {
    private static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Short waits, so that a history with many troubles is soon over.
    private static func reflector(pageSize: Int = 500) -> ReflectorConfiguration {
        var configuration = ReflectorConfiguration()
        configuration.pageSize = pageSize
        configuration.initialBackoff = .milliseconds(5)
        configuration.maximumBackoff = .milliseconds(50)
        configuration.idleLimit = .milliseconds(500)
        return configuration
    }

    private static var settings: ScriptedKubernetesAPI.Settings {
        var settings = ScriptedKubernetesAPI.Settings()
        settings.bookmarkInterval = .milliseconds(100)
        return settings
    }

    /// Runs `body` while `watch` follows its pool; it is given what is known at any time.
    private static func follow(
        _ watch: ClusterWatch,
        _ body: (ObservedState<PoolView>) async throws -> Void
    ) async throws {
        let view = ObservedState(PoolView())
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await watch.run() }
            group.addTask { for await _ in watch.changes { view.update { $0.take(watch.take()) } } }
            try await body(view)
            group.cancelAll()
        }
    }

    @Test("After any history of writes and troubles what is known is what the server's objects say", arguments: 1...40)
    func history(seed: Int) async throws {
        try await WatchedCluster.run(settings: Self.settings) { cluster in
            let watch = ClusterWatch(
                WatchedCluster.scope, client: cluster.client,
                configuration: Self.reflector(pageSize: seed % 3 == 0 ? 2 : 500), logger: Self.silent
            )
            try cluster.putPool()
            try await Self.follow(watch) { view in
                var history = ClusterHistory(cluster, seed: UInt64(seed))
                try await history.run(rounds: 12)
                let expected = PoolView(cluster.api)
                try await view.wait(for: "\(expected)") { $0 == expected }
                // It stays so, also when something that is seen in any case comes after it.
                try cluster.putPool(ports: [9000])
                try cluster.putPod("last")
                let last = PoolView(cluster.api)
                #expect(last.endpoints.contains("last-rank-0=127.0.0.1:9000"))
                try await view.wait(for: "\(last)") { $0 == last }
            }
        }
    }

    @Test("A wiring that loses one removal is found by the same comparison", arguments: [true, false])
    func brokenWiring(losesRemoval: Bool) async throws {
        try await WatchedCluster.run(settings: Self.settings) { cluster in
            try cluster.putPool()
            let view = ObservedState(PoolView())
            let shelf = Mutex((pods: PodShelf(ports: [8000]), isBroken: losesRemoval))
            var query = ResourceQuery(ClusterResources.pods, namespace: WatchedCluster.namespace)
            query.labelSelector = "app=llama"
            let reflector = Reflector<Pod>(
                client: cluster.client, query: query, configuration: Self.reflector(), logger: Self.silent
            ) { event in
                let endpoints = shelf.withLock { shelf in
                    if shelf.isBroken, case .removed = event {
                        shelf.isBroken = false
                    } else {
                        _ = shelf.pods.apply(event)
                    }
                    return shelf.pods.endpoints
                }
                view.update { view in
                    view.endpoints = endpoints.map { "\($0.id.name)=\($0.address.host):\($0.address.port)" }
                }
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await reflector.run() }
                for name in ["a", "b", "c"] { try cluster.putPod(name) }
                try await view.wait(for: "the pods") { $0.endpoints.count == 3 }
                cluster.remove("pods", "b")
                try cluster.putPod("d")
                try await view.wait(for: "the last") { $0.endpoints.contains("d-rank-0=127.0.0.1:8000") }
                #expect((view.value.endpoints == PoolView(cluster.api).endpoints) == !losesRemoval)
                group.cancelAll()
            }
        }
    }

    @Test("Every endpoint of many pods is there once", arguments: [(1_000, 8), (5_000, 1)])
    func manyPods(pods: Int, ports: Int) async throws {
        try await WatchedCluster.run { cluster in
            let numbers = (0..<ports).map { Int64(8_000 + $0) }
            try cluster.putPool(ports: numbers)
            for index in 0..<pods {
                try cluster.putPod("pod-\(index)", address: .string("127.1.\(index / 250).\(1 + index % 250)"))
            }
            let watch = ClusterWatch(WatchedCluster.scope, client: cluster.client, logger: Self.silent)
            try await Self.follow(watch) { view in
                let count = pods * ports
                let known = try await view.wait(for: "all endpoints", timeout: .seconds(60)) {
                    $0.endpoints.count == count
                }
                #expect(known.endpoints == PoolView(cluster.api).endpoints)
                #expect(Set(known.endpoints).count == count)
                // And what changes then: half of the ports, and each tenth pod.
                for index in stride(from: 0, to: pods, by: 10) { cluster.remove("pods", "pod-\(index)") }
                try cluster.putPool(ports: Array(numbers.prefix(max(1, ports / 2))))
                let expected = PoolView(cluster.api).endpoints
                #expect(expected.count == pods * 9 / 10 * max(1, ports / 2))
                try await view.wait(for: "the rest", timeout: .seconds(60)) { $0.endpoints == expected }
            }
        }
    }
}
