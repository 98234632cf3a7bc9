/// Names one endpoint: one address and port of a model server, unique in the process.
public struct EndpointID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The Kubernetes namespace, or `default` outside a cluster.
    public let namespace: String
    /// The name within the namespace.
    public let name: String

    /// Makes an identifier from its parts.
    public init(namespace: String = "default", name: String) {
        self.namespace = namespace
        self.name = name
    }

    public static func < (left: EndpointID, right: EndpointID) -> Bool {
        (left.namespace, left.name) < (right.namespace, right.name)
    }

    /// `namespace/name`, the form that session tokens and metrics use.
    public var description: String { "\(namespace)/\(name)" }
}

/// Names one InferencePool.
public struct PoolID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The Kubernetes namespace, or `default` outside a cluster.
    public let namespace: String
    /// The name within the namespace.
    public let name: String

    /// Makes an identifier from its parts.
    public init(namespace: String = "default", name: String) {
        self.namespace = namespace
        self.name = name
    }

    public static func < (left: PoolID, right: PoolID) -> Bool {
        (left.namespace, left.name) < (right.namespace, right.name)
    }

    public var description: String { "\(namespace)/\(name)" }
}
