/// What identifies an object among those of its resource type.
package struct ObjectName: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The namespace; empty for an object outside namespaces.
    package let namespace: String
    /// The name.
    package let name: String

    /// Makes a name.
    package init(namespace: String, name: String) {
        self.namespace = namespace
        self.name = name
    }

    package static func < (left: ObjectName, right: ObjectName) -> Bool {
        (left.namespace, left.name) < (right.namespace, right.name)
    }

    /// `namespace/name`, or the name alone.
    package var description: String { namespace.isEmpty ? name : "\(namespace)/\(name)" }
}
