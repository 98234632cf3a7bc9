package import GatewayCore
package import KubernetesClient

/// An object of a custom resource or a ConfigMap, with everything in it that a configuration reads.
package struct ClusterObject: KubernetesObject {
    /// A condition of its status (`metav1.Condition`).
    package struct Condition: Codable, Hashable, Sendable {
        /// What it is about, such as `Accepted`.
        package var type: String
        /// `True`, `False` or `Unknown`.
        package var status: String
        /// The generation of the object that it was set for; `nil` when nobody said.
        package var observedGeneration: Int?
        /// When ``status`` changed last, in RFC 3339 text.
        package var lastTransitionTime: String?
        /// Why, in one word.
        package var reason: String?
        /// Why, in words for people.
        package var message: String?
    }

    /// The object's metadata.
    package let metadata: ObjectMetadata
    /// `spec`, or `data` of a ConfigMap, by the name of the field; without what only the cluster needs.
    package let fields: [String: ConfigurationValue]
    /// The conditions of its status.
    package let conditions: [Condition]

    private struct Status: Decodable {
        let conditions: [Condition]?
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case metadata, spec, data, immutable, status
    }

    /// Makes an object.
    package init(metadata: ObjectMetadata, fields: [String: ConfigurationValue], conditions: [Condition] = []) {
        self.metadata = metadata
        self.fields = fields
        self.conditions = conditions
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        metadata = try container.decode(ObjectMetadata.self, forKey: .metadata)
        var fields: [String: ConfigurationValue] = [:]
        for key in [CodingKeys.spec, .data, .immutable] {
            guard let value = try container.decodeIfPresent(AnyJSON.self, forKey: key) else { continue }
            fields[key.rawValue] = value.value
        }
        self.fields = fields
        // Somebody else's status may be anything; nothing but a write of ours depends on it.
        conditions = (try? container.decodeIfPresent(Status.self, forKey: .status))?.conditions ?? []
    }

    /// The object as a document of a configuration. A list of a cluster leaves out what its objects are, so
    /// `resource` says it.
    package func document(as resource: APIResource) -> ConfigurationValue {
        let position = SourcePosition(file: "\(resource.kind) \(metadata.id)")
        func text(_ value: String) -> ConfigurationValue { ConfigurationValue(.string(value), at: position) }
        func object(_ members: [(String, ConfigurationValue)]) -> ConfigurationValue {
            ConfigurationValue(
                .object(
                    members.map { ConfigurationValue.Member(key: $0.0, keyPosition: position, value: $0.1) }
                ),
                at: position
            )
        }
        func texts(_ map: [String: String]) -> ConfigurationValue {
            object(map.sorted { $0.key < $1.key }.map { ($0.key, text($0.value)) })
        }
        var named = [
            ("name", text(metadata.name)), ("labels", texts(metadata.labels)),
            ("annotations", texts(metadata.annotations)),
        ]
        if !metadata.namespace.isEmpty { named.append(("namespace", text(metadata.namespace))) }
        if let created = metadata.creationTimestamp { named.append(("creationTimestamp", text(created))) }
        let members = [
            ("apiVersion", text(resource.apiVersion)), ("kind", text(resource.kind)), ("metadata", object(named)),
        ]
        return object(members + fields.sorted { $0.key < $1.key }.map { ($0.key, $0.value.placed(at: position)) })
    }
}

extension ConfigurationValue {
    /// The same value with everything in it at `position`.
    fileprivate func placed(at position: SourcePosition) -> ConfigurationValue {
        switch content {
        case .null, .bool, .int, .double, .string: ConfigurationValue(content, at: position)
        case .array(let elements):
            ConfigurationValue(.array(elements.map { $0.placed(at: position) }), at: position)
        case .object(let members):
            ConfigurationValue(
                .object(
                    members.map { member in
                        Member(key: member.key, keyPosition: position, value: member.value.placed(at: position))
                    }
                ),
                at: position
            )
        }
    }
}

/// Any JSON as a value of a configuration.
private struct AnyJSON: Decodable {
    /// The deepest nesting; no resource comes near.
    private static let maxDepth = 64

    let value: ConfigurationValue

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) {
            self.stringValue = stringValue
        }

        init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
        guard decoder.codingPath.count < Self.maxDepth else {
            let message = "it is nested deeper than \(Self.maxDepth) levels"
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: message))
        }
        if let object = try? decoder.container(keyedBy: Key.self) {
            let keys = object.allKeys.sorted { $0.stringValue < $1.stringValue }
            value = ConfigurationValue(
                .object(
                    try keys.map { key in
                        ConfigurationValue.Member(
                            key: key.stringValue,
                            keyPosition: .builtin,
                            value: try object.decode(AnyJSON.self, forKey: key).value
                        )
                    }
                )
            )
        } else if var list = try? decoder.unkeyedContainer() {
            var elements: [ConfigurationValue] = []
            while !list.isAtEnd { elements.append(try list.decode(AnyJSON.self).value) }
            value = ConfigurationValue(.array(elements))
        } else {
            value = ConfigurationValue(try Self.scalar(try decoder.singleValueContainer()))
        }
    }

    private static func scalar(_ container: any SingleValueDecodingContainer) throws -> ConfigurationValue.Content {
        if container.decodeNil() { return .null }
        if let bool = try? container.decode(Bool.self) { return .bool(bool) }
        if let int = try? container.decode(Int64.self) { return .int(int) }
        if let double = try? container.decode(Double.self) { return .double(double) }
        return .string(try container.decode(String.self))
    }
}
