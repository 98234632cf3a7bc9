/// A type of object that a ``ScriptedKubernetesAPI`` serves, in one or several versions.
package struct ScriptedResourceType: Hashable, Sendable {
    /// The API group; empty for the core group.
    package var group: String
    /// The served versions, the preferred one first. All serve the same objects.
    package var versions: [String]
    /// The name in paths, such as `pods`.
    package var plural: String
    /// The name for one object, such as `pod`.
    package var singular: String
    /// The `kind` of its objects.
    package var kind: String
    /// What `kubectl` takes for the plural.
    package var shortNames: [String]
    /// Whether its objects live in namespaces.
    package var isNamespaced: Bool
    /// Whether `status` is written at a path of its own, and ignored in other writes.
    package var hasStatus: Bool
    /// Whether `metadata.generation` counts the changes of what is neither metadata nor status.
    package var hasGeneration: Bool
    /// Whether the type came by a CustomResourceDefinition. Its list items then carry their kind, a write must name the
    /// version that it replaces, and a strategic merge patch is refused.
    package var isCustom: Bool
    /// Whether a write may leave `metadata.resourceVersion` out.
    package var allowsBlindWrites: Bool
    /// Whether its objects are answered and never kept, such as a TokenReview.
    package var isAnswerOnly: Bool

    /// Makes a custom resource, as a CustomResourceDefinition would.
    package init(
        group: String,
        versions: [String],
        plural: String,
        kind: String,
        isNamespaced: Bool = true,
        hasStatus: Bool = true,
        shortNames: [String] = []
    ) {
        self.group = group
        self.versions = versions
        self.plural = plural
        singular = kind.lowercased()
        self.kind = kind
        self.shortNames = shortNames
        self.isNamespaced = isNamespaced
        self.hasStatus = hasStatus
        hasGeneration = true
        isCustom = true
        allowsBlindWrites = false
        isAnswerOnly = false
    }

    /// What objects are filed under.
    var name: GroupResource { GroupResource(group: group, plural: plural) }

    /// The `apiVersion` of its objects in one of its versions.
    func apiVersion(_ version: String) -> String { group.isEmpty ? version : "\(group)/\(version)" }

    /// Whether it is answered about the user who asks.
    var isSelfReview: Bool { isAnswerOnly && plural.hasPrefix("self") }

    /// The status that the server gives a new object.
    var firstStatus: ScriptedJSON? { name == GroupResource(group: "", plural: "pods") ? ["phase": "Pending"] : nil }

    /// The verbs in the discovery document.
    var verbs: [String] {
        isAnswerOnly
            ? ["create"] : ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    }
}

/// A resource type without its version.
struct GroupResource: Hashable, Sendable, CustomStringConvertible {
    var group: String
    var plural: String

    var description: String { group.isEmpty ? plural : "\(plural).\(group)" }
}

extension ScriptedResourceType {
    /// The types that every server has.
    package static let builtIn: [ScriptedResourceType] = [
        .core("pods", "Pod", shortNames: ["po"], hasStatus: true, hasGeneration: true),
        .core("configmaps", "ConfigMap", shortNames: ["cm"]),
        .core("secrets", "Secret"),
        .core("services", "Service", shortNames: ["svc"], hasStatus: true),
        .core("events", "Event", shortNames: ["ev"]),
        .core("namespaces", "Namespace", shortNames: ["ns"], isNamespaced: false, hasStatus: true),
        .core("nodes", "Node", shortNames: ["no"], isNamespaced: false, hasStatus: true),
        .builtIn("events.k8s.io", "events", "Event", shortNames: ["ev"]),
        .builtIn("coordination.k8s.io", "leases", "Lease", allowsBlindWrites: false),
        .builtIn("authentication.k8s.io", "tokenreviews", "TokenReview", isNamespaced: false, isAnswerOnly: true),
        .builtIn(
            "authorization.k8s.io", "subjectaccessreviews", "SubjectAccessReview", isNamespaced: false,
            isAnswerOnly: true
        ),
        .builtIn(
            "authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview", isNamespaced: false,
            isAnswerOnly: true
        ),
        .builtIn(
            "apiextensions.k8s.io", "customresourcedefinitions", "CustomResourceDefinition", shortNames: ["crd"],
            isNamespaced: false, hasStatus: true, hasGeneration: true, allowsBlindWrites: false
        ),
    ]

    private static func core(
        _ plural: String,
        _ kind: String,
        shortNames: [String] = [],
        isNamespaced: Bool = true,
        hasStatus: Bool = false,
        hasGeneration: Bool = false
    ) -> ScriptedResourceType {
        builtIn(
            "", plural, kind, shortNames: shortNames, isNamespaced: isNamespaced, hasStatus: hasStatus,
            hasGeneration: hasGeneration
        )
    }

    private static func builtIn(
        _ group: String,
        _ plural: String,
        _ kind: String,
        shortNames: [String] = [],
        isNamespaced: Bool = true,
        hasStatus: Bool = false,
        hasGeneration: Bool = false,
        allowsBlindWrites: Bool = true,
        isAnswerOnly: Bool = false
    ) -> ScriptedResourceType {
        var type = ScriptedResourceType(
            group: group, versions: ["v1"], plural: plural, kind: kind, isNamespaced: isNamespaced,
            hasStatus: hasStatus, shortNames: shortNames
        )
        type.hasGeneration = hasGeneration
        type.isCustom = false
        type.allowsBlindWrites = allowsBlindWrites
        type.isAnswerOnly = isAnswerOnly
        return type
    }

    /// The type that a CustomResourceDefinition defines; `nil` when it lacks what a type needs.
    init?(definition: ScriptedJSON) {
        guard let spec = definition["spec"], let group = spec["group"]?.text, let names = spec["names"],
            let plural = names["plural"]?.text, let kind = names["kind"]?.text,
            let versions = spec["versions"]?.elements
        else { return nil }
        let served = versions.filter { $0["served"]?.flag == true }
        // The version that is stored is the one that clients prefer here; the real order is by the names' maturity.
        let stored = served.filter { $0["storage"]?.flag == true } + served.filter { $0["storage"]?.flag != true }
        self.init(
            group: group, versions: stored.compactMap { $0["name"]?.text }, plural: plural, kind: kind,
            isNamespaced: spec["scope"]?.text != "Cluster",
            hasStatus: served.contains { $0[path: "subresources", "status"] != nil },
            shortNames: (names["shortNames"]?.elements ?? []).compactMap(\.text)
        )
        if let singular = names["singular"]?.text { self.singular = singular }
    }
}
