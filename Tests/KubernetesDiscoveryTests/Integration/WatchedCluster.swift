import Foundation
import GatewayConfiguration
import GatewayCore
import GatewayTesting
import KubernetesClient
import KubernetesDiscovery
import Logging
import NIOPosix

/// A scripted API server with the types of a pool, and clients that find it by a kubeconfig file.
final class WatchedCluster: Sendable {
    static let namespace = "prod"
    private static let inference = "inference.networking.k8s.io"
    static let inferenceAlpha = "inference.networking.x-k8s.io"

    /// The types that definitions bring to a cluster.
    static let types = [
        type(inference, "v1", "InferencePool"),
        type("llm-d.ai", "v1alpha2", "InferenceObjective"),
        type(inferenceAlpha, "v1alpha2", "InferenceObjective"),
        type("llm-d.ai", "v1alpha2", "InferenceModelRewrite"),
        type(inferenceAlpha, "v1alpha2", "InferenceModelRewrite"),
        type(inferenceAlpha, "v1alpha2", "InferenceModel"),
        type(inferenceAlpha, "v1alpha1", "InferencePoolImport"),
    ]

    private static func type(_ group: String, _ version: String, _ kind: String) -> ScriptedResourceType {
        ScriptedResourceType(group: group, versions: [version], plural: kind.lowercased() + "s", kind: kind)
    }

    static let scope = PoolScope(pool: Cluster.pool, definition: .resource(group: inference))

    let api: ScriptedKubernetesAPI
    private let transport: HTTPTransport

    /// A client of the server.
    let client: APIClient

    private init(_ api: ScriptedKubernetesAPI, _ transport: HTTPTransport) {
        self.api = api
        self.transport = transport
        client = APIClient(transport: transport)
    }

    /// Runs a test with a server and a client of it.
    ///
    /// - Parameter token: the client's, with which it may do everything; without one the server lets everybody in.
    static func run(
        token: String? = nil,
        settings: ScriptedKubernetesAPI.Settings = ScriptedKubernetesAPI.Settings(),
        _ body: (WatchedCluster) async throws -> Void
    ) async throws {
        let users = token.map { [$0: ScriptedAPIUser(name: "picker")] } ?? [:]
        let api = try await ScriptedKubernetesAPI.start(users: users, settings: settings)
        for type in types { api.register(type) }
        let transport = HTTPTransport(
            configuration: try configuration(api.url, token: token), group: MultiThreadedEventLoopGroup.singleton,
            userAgent: "martlet/test", logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        do {
            try await body(WatchedCluster(api, transport))
        } catch {
            await transport.shutdown()
            throw error
        }
        await transport.shutdown()
        try await api.stop()
    }

    /// What a kubeconfig file says that is there for a moment.
    private static func configuration(_ url: String, token: String?) throws -> ClusterConfiguration {
        let file = FileManager.default.temporaryDirectory.appending(path: "martlet-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        try """
        apiVersion: v1
        kind: Config
        current-context: x
        contexts: [{name: x, context: {cluster: c, user: u}}]
        clusters: [{name: c, cluster: {server: '\(url)'}}]
        users: [{name: u, user: {\(token.map { "token: \($0)" } ?? "")}}]
        """.write(to: file, atomically: true, encoding: .utf8)
        return try ClusterConfiguration.find(path: file.path, environment: [:], homeFolder: nil)
    }

    // MARK: - Objects

    /// Writes a pod that is ready unless `isReady` says otherwise.
    func putPod(
        _ name: String,
        app: String = "llama",
        address: ScriptedJSON? = "127.0.0.1",
        isReady: Bool = true,
        activePorts: String? = nil
    ) throws {
        var metadata: ScriptedJSON = [
            "name": .string(name), "namespace": .string(Self.namespace), "labels": ["app": .string(app)],
        ]
        if let activePorts { metadata["annotations"] = ["llm-d.ai/active-ports": .string(activePorts)] }
        var status: ScriptedJSON = [
            "conditions": [["type": "Ready", "status": .string(isReady ? "True" : "False")]]
        ]
        status["podIP"] = address
        try api.apply([
            "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": ["nodeName": "node"], "status": status,
        ])
    }

    /// Writes the pool.
    func putPool(app: String = "llama", ports: [Int64] = [8000]) throws {
        try api.apply([
            "apiVersion": .string("\(Self.inference)/v1"), "kind": "InferencePool",
            "metadata": ["name": "llama", "namespace": .string(Self.namespace)],
            "spec": [
                "selector": ["matchLabels": ["app": .string(app)]],
                "targetPorts": .array(ports.map { ["number": .int($0)] }),
            ],
        ])
    }

    /// Writes an objective of the pool.
    func putObjective(_ name: String, priority: ScriptedJSON = 1, pool: String = "llama") throws {
        try api.apply([
            "apiVersion": .string("\(Self.inferenceAlpha)/v1alpha2"), "kind": "InferenceObjective",
            "metadata": ["name": .string(name), "namespace": .string(Self.namespace)],
            "spec": ["priority": priority, "poolRef": ["name": .string(pool)]],
        ])
    }

    /// Removes an object at once; whether there was one.
    @discardableResult
    func remove(_ resource: String, group: String = "", _ name: String) -> Bool {
        (try? api.remove(resource, group: group, namespace: Self.namespace, name: name)) != nil
    }

    /// Removes the pool.
    @discardableResult
    func removePool() -> Bool { remove("inferencepools", group: Self.inference, "llama") }

    /// An objective as the server has it.
    func objective(_ name: String) -> ScriptedJSON? {
        api.object("inferenceobjectives", group: Self.inferenceAlpha, namespace: Self.namespace, name: name)
    }
}

/// What is known of a pool: what a watch tells, or what a server's objects say.
struct PoolView: Hashable, Sendable, CustomStringConvertible {
    /// The endpoints in order, each with its address.
    var endpoints: [String] = []
    /// The priorities of the pool's objectives.
    var objectives: [String: Int] = [:]
    /// Whether all of it is known.
    var isSettled = false

    var description: String {
        "\(endpoints) \(objectives.sorted { $0.key < $1.key })\(isSettled ? "" : ", not settled")"
    }

    /// Takes what changed.
    mutating func take(_ snapshot: ClusterSnapshot) {
        isSettled = snapshot.isSettled
        if let endpoints = snapshot.endpoints {
            self.endpoints = endpoints.map { "\($0.id.name)=\($0.address.host):\($0.address.port)" }
        }
        if let configuration = snapshot.configuration {
            objectives = Dictionary(
                configuration.objectives.map { ($0.metadata.id.name, $0.priority) }, uniquingKeysWith: { $1 }
            )
        }
    }
}

extension PoolView {
    /// What the objects of a server say, by rules that are written down a second time here.
    init(_ api: ScriptedKubernetesAPI) {
        isSettled = Self.pool(of: api) != nil
        endpoints = Self.endpoints(of: api)
        objectives = Self.objectives(of: api)
    }

    private static func pool(of api: ScriptedKubernetesAPI) -> ScriptedJSON? {
        api.object(
            "inferencepools", group: "inference.networking.k8s.io", namespace: WatchedCluster.namespace, name: "llama")
    }

    private static func endpoints(of api: ScriptedKubernetesAPI) -> [String] {
        guard let spec = pool(of: api)?["spec"] else { return [] }
        var endpoints: [String] = []
        let wanted = spec[path: "selector", "matchLabels"]?.members ?? [:]
        let ports = (spec["targetPorts"]?.elements ?? []).compactMap { $0["number"]?.integer }
        for pod in api.objects("pods") {
            let metadata = pod["metadata"]
            let conditions = pod[path: "status", "conditions"]?.elements ?? []
            guard let name = metadata?["name"]?.text, metadata?["namespace"]?.text == WatchedCluster.namespace,
                let address = pod[path: "status", "podIP"]?.text, !address.isEmpty,
                metadata?["deletionTimestamp"] == nil,
                conditions.contains(where: { $0["type"] == "Ready" && $0["status"] == "True" }),
                wanted.allSatisfy({ metadata?["labels"]?[$0.key] == $0.value })
            else { continue }
            let active = metadata?[path: "annotations", "llm-d.ai/active-ports"]?.text.map { text in
                text.split(separator: ",").compactMap { Int64($0) }
            }
            for (rank, port) in ports.enumerated() where active?.contains(port) ?? true {
                endpoints.append("\(name)-rank-\(rank)=\(address):\(port)")
            }
        }
        return endpoints
    }

    private static func objectives(of api: ScriptedKubernetesAPI) -> [String: Int] {
        var objectives: [String: Int] = [:]
        for object in api.objects("inferenceobjectives", group: WatchedCluster.inferenceAlpha) {
            guard let name = object[path: "metadata", "name"]?.text,
                object[path: "spec", "poolRef", "name"] == "llama"
            else { continue }
            objectives[name] = (object[path: "spec", "priority"]?.integer).map { Int($0) } ?? 0
        }
        return objectives
    }
}
