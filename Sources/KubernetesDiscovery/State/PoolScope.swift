package import GatewayConfiguration

/// Which pool is followed, and how it is known.
package struct PoolScope: Hashable, Sendable {
    /// What says where the pool's endpoints are.
    package enum Definition: Hashable, Sendable {
        /// An InferencePool of this API group, which has the pool's name.
        case resource(group: String)
        /// Labels in the API's selector syntax, and the ports of the pods that have them. No custom resource is read.
        case selector(labels: String, ports: [Int])
    }

    /// The pool's name, and the namespace that everything about it is in.
    package let pool: ResourceName
    /// What says where its endpoints are.
    package let definition: Definition

    /// Makes a scope.
    package init(pool: ResourceName, definition: Definition) {
        self.pool = pool
        self.definition = definition
    }
}
