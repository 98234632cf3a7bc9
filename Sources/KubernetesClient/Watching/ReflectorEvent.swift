/// What a reflector tells of the objects that it follows.
package enum ReflectorEvent<Object: KubernetesObject>: Sendable {
    /// These are all objects, sorted by namespace and name: after the first list, and after each one that became
    /// necessary since.
    case replaced([Object])
    /// The object is new or has changed.
    case changed(Object)
    /// The object is gone.
    case removed(ObjectName)
    /// The object cannot be read. What was told of it before still holds.
    case malformed(MalformedObject)
    /// Nothing can be learned for now; what was told before still holds. Told once for each new reason.
    case waiting(APIError)
    /// A watch tells again what changes, after ``waiting(_:)``, and goes on from where the last one ended: nothing was
    /// missed. After a list there is ``replaced(_:)`` instead.
    case resumed
}

/// An object that is not what its type says.
package struct MalformedObject: Hashable, Sendable {
    /// What it is called; `nil` when even that cannot be read.
    package let name: ObjectName?
    /// Its version; empty when it cannot be read.
    package let resourceVersion: String
    /// What tells it from an earlier one of the same name; empty when it cannot be read.
    package let uid: String
    /// What is wrong with it, and where.
    package let reason: String

    /// Makes a report.
    package init(name: ObjectName?, resourceVersion: String, uid: String = "", reason: String) {
        self.name = name
        self.resourceVersion = resourceVersion
        self.uid = uid
        self.reason = reason
    }
}

/// Which objects are followed.
package struct ResourceQuery: Hashable, Sendable {
    /// Their type.
    package var resource: APIResource
    /// Their namespace; `nil` for all of them.
    package var namespace: String?
    /// Which labels they have, in the API's syntax; empty for any.
    package var labelSelector = ""
    /// Which values their fields have, in the API's syntax; empty for any.
    package var fieldSelector = ""

    /// Makes a query for all objects of `resource` in `namespace`.
    package init(_ resource: APIResource, namespace: String?) {
        self.resource = resource
        self.namespace = namespace
    }
}
