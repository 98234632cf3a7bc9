import GatewayConfiguration
package import KubernetesClient

/// A pod, as far as an endpoint is made of it.
package struct Pod: KubernetesObject, Hashable {
    /// Its metadata; of the annotations only those that limit its ports, for a cluster has thousands of pods and
    /// network plugins write long ones.
    package let metadata: ObjectMetadata
    /// Its address; empty before it has one.
    package let address: String
    /// Whether its condition `Ready` is true.
    package let isReady: Bool

    /// Whether it can be sent requests: it is ready, has an address and is not going.
    package var isEligible: Bool { isReady && !address.isEmpty && metadata.deletionTimestamp == nil }

    /// Makes a pod.
    package init(metadata: ObjectMetadata, address: String, isReady: Bool) {
        self.metadata = metadata
        self.address = address
        self.isReady = isReady
    }

    private struct Status: Decodable {
        struct Condition: Decodable {
            let type: String
            let status: String
        }

        let podIP: String?
        let conditions: [Condition]?
    }

    private enum CodingKeys: String, CodingKey {
        case metadata, status
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        var metadata = try container.decode(ObjectMetadata.self, forKey: .metadata)
        metadata.annotations = metadata.annotations.filter { ActivePorts.annotations.contains($0.key) }
        metadata.creationTimestamp = nil
        let status = try container.decodeIfPresent(Status.self, forKey: .status)
        self.metadata = metadata
        address = status?.podIP ?? ""
        isReady = status?.conditions?.contains { $0.type == "Ready" && $0.status == "True" } ?? false
    }
}
