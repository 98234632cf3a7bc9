/// A type of object that an API server serves, by where it is served.
package struct APIResource: Hashable, Sendable, CustomStringConvertible {
    /// The API group; empty for the core group.
    package let group: String
    /// The version, such as `v1`.
    package let version: String
    /// The name in paths, such as `pods`.
    package let plural: String
    /// The `kind` of its objects.
    package let kind: String
    /// Whether its objects live in namespaces.
    package let isNamespaced: Bool

    /// Makes a resource type.
    package init(group: String, version: String, plural: String, kind: String, isNamespaced: Bool = true) {
        self.group = group
        self.version = version
        self.plural = plural
        self.kind = kind
        self.isNamespaced = isNamespaced
    }

    /// The `apiVersion` of its objects.
    package var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }

    /// `plural.group`, as it is called in texts.
    package var description: String { group.isEmpty ? plural : "\(plural).\(group)" }

    /// The path of its objects, or of one of them.
    ///
    /// - Parameters:
    ///   - namespace: the namespace; `nil` for all of them or for a resource outside namespaces.
    ///   - name: the object; `nil` for the collection.
    ///   - subresource: such as `status`; only with a name.
    package func path(namespace: String?, name: String? = nil, subresource: String? = nil) -> String {
        var path = group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)"
        if isNamespaced, let namespace { path += "/namespaces/\(namespace)" }
        path += "/\(plural)"
        if let name { path += "/\(name)" }
        if let subresource { path += "/\(subresource)" }
        return path
    }
}
