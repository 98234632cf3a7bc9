package import GatewayCore

/// What identifies a resource of a configuration.
package struct ResourceName: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The namespace; `default` when the file names none.
    package let namespace: String
    /// The name, unique in its namespace and kind.
    package let name: String

    /// Makes a name.
    package init(namespace: String = "default", name: String) {
        self.namespace = namespace
        self.name = name
    }

    package static func < (left: ResourceName, right: ResourceName) -> Bool {
        (left.namespace, left.name) < (right.namespace, right.name)
    }

    /// `namespace/name`.
    package var description: String { "\(namespace)/\(name)" }
}

/// The `metadata` of a resource, as far as the gateway uses it.
package struct ResourceMetadata: Hashable, Sendable {
    /// The resource's name.
    package let id: ResourceName
    /// Its labels.
    package let labels: [String: String]
    /// When a cluster created the object, in RFC 3339 text; `nil` outside a cluster. Older rewrites come first.
    package let creationTimestamp: String?
    /// The header field by whose value requests stay with one target of a rewrite, as an annotation says; `nil` without
    /// it.
    let stickyHeader: String?
    /// Where the name stands.
    package let position: SourcePosition

    /// Reads `metadata` of `document`. What a cluster adds to an object is accepted silently, so that the output of
    /// `kubectl get --output yaml` is a valid input.
    init(decoding document: ParameterDecoder) {
        self.init(reading: document.requiredObject("metadata"))
    }

    /// Like ``init(decoding:)``, but `nil` when the document has no metadata.
    init?(decodingOptionally document: ParameterDecoder) {
        guard let metadata = document.object("metadata") else { return nil }
        self.init(reading: metadata)
    }

    private init(reading metadata: ParameterDecoder) {
        id = ResourceName(namespace: metadata.namespace(), name: metadata.requiredName("name"))
        labels = metadata.labels("labels")
        creationTimestamp = metadata.string("creationTimestamp")
        stickyHeader = Self.stickyHeader(metadata)
        position = metadata.position(of: "name")
        metadata.accept(
            "uid", "resourceVersion", "generation", "managedFields", "finalizers", "ownerReferences",
            "selfLink", "generateName", "deletionTimestamp", "deletionGracePeriodSeconds"
        )
    }

    /// What the gateway's own annotations begin with. Those of others mean nothing here.
    private static let annotationPrefix = "martlet.dev/"
    private static let stickyAnnotation = annotationPrefix + "sticky-by-header"

    private static func stickyHeader(_ metadata: ParameterDecoder) -> String? {
        guard case .object(let members)? = metadata.value("annotations")?.content else { return nil }
        var header: String?
        for member in members where member.key.hasPrefix(annotationPrefix) {
            guard member.key == stickyAnnotation else {
                metadata.report(
                    "unknown annotation \(ConfigurationProblem.quoted(member.key))", at: "annotations",
                    candidates: [stickyAnnotation], name: member.key
                )
                continue
            }
            if case .string(let text) = member.value.content, NameSyntax.isHTTPToken(text) {
                header = text
            } else {
                let message = "\(stickyAnnotation): \(member.value) is not the name of a header field"
                metadata.report(message, at: "annotations")
            }
        }
        return header
    }
}

/// A reference from one resource to another, resolved to a namespace.
package struct ResourceReference: Hashable, Sendable {
    /// What it names.
    package let target: ResourceName
    /// The API group of what it names; empty where the kind says it.
    package var group = ""
    /// Where it stands.
    package let position: SourcePosition
    /// Its path in the document.
    package let path: String
}

/// The API groups of the resources.
package enum APIGroup {
    /// Gateways and routes.
    static let gateway = "gateway.networking.k8s.io"
    /// The InferencePool, since it is stable.
    package static let inference = "inference.networking.k8s.io"
    /// Everything of the Gateway API Inference Extension that is not stable.
    package static let inferenceAlpha = "inference.networking.x-k8s.io"
    /// The resources that moved to llm-d.
    package static let llmD = "llm-d.ai"
}

extension ParameterDecoder {
    /// A reference to an InferencePool in the namespace of the resource: `{group, kind, name}`.
    func poolReference(_ key: String, namespace: String) -> ResourceReference {
        let reference = requiredObject(key)
        let group = reference.string("group", default: APIGroup.inference)
        if group != APIGroup.inference, group != APIGroup.inferenceAlpha {
            reference.report(
                "\(ConfigurationProblem.quoted(group)) is not the group of InferencePool", at: "group",
                candidates: [APIGroup.inference, APIGroup.inferenceAlpha], name: group
            )
        }
        let kind = reference.string("kind", default: "InferencePool")
        if kind != "InferencePool" {
            reference.report(
                "\(ConfigurationProblem.quoted(kind)) cannot be referred to here, only InferencePool", at: "kind",
                candidates: ["InferencePool"], name: kind
            )
        }
        let name = reference.requiredName("name")
        return ResourceReference(
            target: ResourceName(namespace: namespace, name: name),
            group: group,
            position: reference.position(of: "name"),
            path: reference.path(of: "name")
        )
    }

    /// A duration in the Gateway API's syntax (GEP-2257), such as `10s` or `1h30m`; `nil` when it is absent.
    func gatewayDuration(_ key: String) -> Duration? {
        guard let value = value(key) else { return nil }
        guard case .string(let text) = value.content, let duration = GoDuration.parseGatewayAPI(text) else {
            report("expected a duration such as \"500ms\" or \"1h30m\", found \(value)", at: key, value: value)
            return nil
        }
        return duration
    }
}
