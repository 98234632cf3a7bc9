/// The `metadata` of an object, without the parts that no reader of this client needs.
package struct ObjectMetadata: Hashable, Sendable, Decodable {
    /// The name.
    package var name: String
    /// The namespace; empty for an object outside namespaces.
    package var namespace: String
    /// What tells this object from an earlier one of the same name.
    package var uid: String
    /// The version of the object, which only the server can order.
    package var resourceVersion: String
    /// Counts the changes of the `spec`; 0 for resources that do not count.
    package var generation: Int
    /// When it was created, in RFC 3339 text.
    package var creationTimestamp: String?
    /// When it was asked to go, in RFC 3339 text; `nil` while it is to stay.
    package var deletionTimestamp: String?
    /// Its labels.
    package var labels: [String: String]
    /// Its annotations.
    package var annotations: [String: String]

    /// What identifies the object among those of its resource type.
    package var id: ObjectName { ObjectName(namespace: namespace, name: name) }

    /// Makes metadata.
    package init(
        name: String,
        namespace: String = "",
        uid: String = "",
        resourceVersion: String = "",
        generation: Int = 0,
        creationTimestamp: String? = nil,
        deletionTimestamp: String? = nil,
        labels: [String: String] = [:],
        annotations: [String: String] = [:]
    ) {
        self.name = name
        self.namespace = namespace
        self.uid = uid
        self.resourceVersion = resourceVersion
        self.generation = generation
        self.creationTimestamp = creationTimestamp
        self.deletionTimestamp = deletionTimestamp
        self.labels = labels
        self.annotations = annotations
    }

    private enum CodingKeys: String, CodingKey {
        case name, namespace, uid, resourceVersion, generation, creationTimestamp, deletionTimestamp, labels
        case annotations
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        name = try container.decode(String.self, forKey: .name)
        namespace = try container.decodeIfPresent(String.self, forKey: .namespace) ?? ""
        uid = try container.decodeIfPresent(String.self, forKey: .uid) ?? ""
        resourceVersion = try container.decodeIfPresent(String.self, forKey: .resourceVersion) ?? ""
        generation = try container.decodeIfPresent(Int.self, forKey: .generation) ?? 0
        creationTimestamp = try container.decodeIfPresent(String.self, forKey: .creationTimestamp)
        deletionTimestamp = try container.decodeIfPresent(String.self, forKey: .deletionTimestamp)
        labels = try container.decodeIfPresent([String: String].self, forKey: .labels) ?? [:]
        annotations = try container.decodeIfPresent([String: String].self, forKey: .annotations) ?? [:]
    }
}

/// An object of an API server, read from JSON. A type reads only what its user needs; unknown fields are passed over.
package protocol KubernetesObject: Decodable, Sendable {
    /// The object's metadata.
    var metadata: ObjectMetadata { get }
}
