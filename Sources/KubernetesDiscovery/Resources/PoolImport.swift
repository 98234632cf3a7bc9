package import KubernetesClient

/// An InferencePoolImport: that other clusters offer a pool of this name. It has no spec; its status says by whom.
package struct PoolImport: KubernetesObject {
    /// The object's metadata.
    package let metadata: ObjectMetadata
    /// The clusters that export the pool, in order and each once.
    package let exportingClusters: [String]

    private struct Status: Decodable {
        struct Controller: Decodable {
            struct Cluster: Decodable {
                let name: String
            }

            let exportingClusters: [Cluster]?
        }

        let controllers: [Controller]?
    }

    private enum CodingKeys: String, CodingKey {
        case metadata, status
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        metadata = try container.decode(ObjectMetadata.self, forKey: .metadata)
        let controllers = try container.decodeIfPresent(Status.self, forKey: .status)?.controllers ?? []
        exportingClusters = Set(controllers.flatMap { $0.exportingClusters ?? [] }.map(\.name)).sorted()
    }
}
