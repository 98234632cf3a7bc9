import Foundation
import GatewayConfiguration
import GatewayCore
import KubernetesClient
import KubernetesDiscovery

/// Objects as a cluster tells of them.
enum Cluster {
    static let pool = ResourceName(namespace: "prod", name: "llama")

    static func decode<Object: KubernetesObject>(_ json: String, as type: Object.Type = Object.self) throws -> Object {
        try JSONDecoder().decode(Object.self, from: Data(json.utf8))
    }

    static func pod(
        _ name: String,
        address: String = "10.0.0.1",
        isReady: Bool = true,
        labels: [String: String] = ["app": "llama"],
        annotations: [String: String] = [:],
        deletionTimestamp: String? = nil
    ) -> Pod {
        Pod(
            metadata: ObjectMetadata(
                name: name,
                namespace: "prod",
                uid: "uid-\(name)",
                deletionTimestamp: deletionTimestamp,
                labels: labels,
                annotations: annotations
            ),
            address: address,
            isReady: isReady
        )
    }

    /// A custom object of the pool's namespace.
    static func object(
        _ name: String,
        generation: Int = 1,
        created: String? = nil,
        deletionTimestamp: String? = nil,
        conditions: [ClusterObject.Condition] = [],
        spec: ConfigurationValue
    ) -> ClusterObject {
        ClusterObject(
            metadata: ObjectMetadata(
                name: name,
                namespace: "prod",
                uid: "uid-\(name)",
                generation: generation,
                creationTimestamp: created,
                deletionTimestamp: deletionTimestamp
            ),
            fields: ["spec": spec],
            conditions: conditions
        )
    }

    static func pool(
        labels: [String: String] = ["app": "llama"],
        ports: [Int64] = [8000],
        appProtocol: String? = nil,
        deletionTimestamp: String? = nil
    ) -> ClusterObject {
        var members: [ConfigurationValue.Member] = []
        func add(_ key: String, _ value: ConfigurationValue) {
            members.append(ConfigurationValue.Member(key: key, keyPosition: .builtin, value: value))
        }
        let matchLabels = labels.sorted { $0.key < $1.key }.map { label in
            ConfigurationValue.Member(
                key: label.key, keyPosition: .builtin, value: ConfigurationValue(.string(label.value)))
        }
        add("selector", ["matchLabels": ConfigurationValue(.object(matchLabels))])
        add("targetPorts", ConfigurationValue(.array(ports.map { ["number": ConfigurationValue(.int($0))] })))
        if let appProtocol { add("appProtocol", ConfigurationValue(.string(appProtocol))) }
        return object("llama", deletionTimestamp: deletionTimestamp, spec: ConfigurationValue(.object(members)))
    }

    static func objective(_ name: String, priority: Int64, pool: String = "llama", group: String? = nil)
        -> ClusterObject
    {
        let reference: ConfigurationValue =
            group.map { ["name": ConfigurationValue(.string(pool)), "group": ConfigurationValue(.string($0))] }
            ?? ["name": ConfigurationValue(.string(pool))]
        return object(name, spec: ["priority": ConfigurationValue(.int(priority)), "poolRef": reference])
    }

    static func model(_ name: String, _ model: String, created: String, criticality: String = "Critical")
        -> ClusterObject
    {
        object(
            name,
            created: created,
            spec: [
                "modelName": ConfigurationValue(.string(model)),
                "criticality": ConfigurationValue(.string(criticality)), "poolRef": ["name": "llama"],
            ]
        )
    }
}

extension ClusterState {
    /// Knows nothing yet of the pool of the tests.
    static func ofPool(group: String = "inference.networking.k8s.io") -> ClusterState {
        ClusterState(PoolScope(pool: Cluster.pool, definition: .resource(group: group)))
    }

    /// Takes the pool's object.
    @discardableResult
    mutating func set(pool: ClusterObject?) -> Changes {
        apply(.replaced(pool.map { [$0] } ?? []), of: resources[0]).changes
    }
}
