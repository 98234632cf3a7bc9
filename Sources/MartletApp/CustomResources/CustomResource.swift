/// A resource of a Kubernetes API that an endpoint picker reads, and the definition that makes an API server know it.
///
/// `martlet crds` prints the definitions, and deploy/crds holds what it prints. They are written from the API of
/// Gateway API Inference Extension and llm-d: an object that is valid there is valid here, and the other way round.
package struct CustomResource: Sendable {
    /// The kind, such as `InferencePool`.
    package let kind: String
    /// The name in paths, such as `inferencepools`.
    package let plural: String
    /// Shorter names for command lines.
    package let shortNames: [String]
    /// The API group.
    package let group: String
    /// The only version of the API that is served and stored.
    package let version: String
    /// Whether a later API took the place of this one. Install it only for objects that exist: where both groups of
    /// InferenceObjective are installed, llm-d's endpoint picker ignores the objects of the older one.
    package let isSuperseded: Bool
    /// The CustomResourceDefinition in YAML, without a document separator and with a line break at its end.
    package let definition: String

    /// What `kubectl get` shows of an object beside its name.
    struct Column {
        let name: String
        let type: String
        /// Where it stands in the object.
        let path: String
    }

    /// Makes a resource in namespaces, with a status of its own and one version.
    ///
    /// - Parameters:
    ///   - approval: where the API was approved, which a group of Kubernetes itself must say.
    ///   - columns: what `kubectl get` shows; empty for the age alone.
    ///   - schema: the OpenAPI schema of an object, written at the left margin.
    init(
        kind: String,
        shortNames: [String] = [],
        group: String,
        version: String,
        isSuperseded: Bool = false,
        approval: String? = nil,
        columns: [Column] = [],
        schema: String
    ) {
        self.kind = kind
        plural = kind.lowercased() + "s"
        self.shortNames = shortNames
        self.group = group
        self.version = version
        self.isSuperseded = isSuperseded
        var annotations = approval.map { ["api-approved.kubernetes.io: \($0)"] } ?? []
        if group != ObjectiveGroup.current.name {
            annotations.append("inference.networking.k8s.io/bundle-version: \(Self.bundleVersion)")
        }
        var lines = ["apiVersion: apiextensions.k8s.io/v1", "kind: CustomResourceDefinition"]
        lines += ["metadata:", "  name: \(plural).\(group)"]
        if !annotations.isEmpty { lines.append("  annotations:") }
        lines += annotations.map { "    \($0)" }
        lines += ["spec:", "  group: \(group)", "  scope: Namespaced", "  names:", "    kind: \(kind)"]
        lines += ["    listKind: \(kind)List", "    plural: \(plural)", "    singular: \(kind.lowercased())"]
        if !shortNames.isEmpty { lines.append("    shortNames:") }
        lines += shortNames.map { "    - \($0)" }
        lines += ["  versions:", "  - name: \(version)", "    served: true", "    storage: true"]
        lines += ["    subresources:", "      status: {}"]
        if !columns.isEmpty { lines.append("    additionalPrinterColumns:") }
        for column in columns {
            lines += ["    - name: \(column.name)", "      type: \(column.type)", "      jsonPath: \(column.path)"]
        }
        lines += ["    schema:", "      openAPIV3Schema:", "        \(schema.indented(by: 8))", ""]
        definition = lines.joined(separator: "\n")
    }

    /// The name of the definition, which is unique: `inferencepools.inference.networking.k8s.io`.
    package var name: String { "\(plural).\(group)" }

    /// What `apiVersion` of an object says.
    package var apiVersion: String { "\(group)/\(version)" }

    /// All of them; those that are not superseded come first.
    package static let all: [CustomResource] = [
        .inferencePool, .inferenceObjective(.current), .inferenceModelRewrite(.current), .inferencePoolImport,
        .legacyInferencePool, .inferenceObjective(.legacy), .inferenceModelRewrite(.legacy), .inferenceModel,
    ]

    /// The release of Gateway API Inference Extension whose API the definitions of its groups are: the first in which
    /// `endpointPickerRef` of a pool is optional. Its conformance report reads it from an annotation, where all its
    /// definitions in a cluster must agree; hence the superseded ones have it too, though they left before.
    static let bundleVersion = "v1.6.0"

    /// The resources that words of a command line select, in the order of ``all``.
    ///
    /// - Parameter words: names of definitions, kinds, plurals, short names and groups, in any case. A kind that two
    ///   groups have selects both. Without words everything that is not superseded is selected.
    /// - Throws: ``CommandError`` when a word selects nothing.
    package static func selected(by words: [String]) throws(CommandError) -> [CustomResource] {
        guard !words.isEmpty else { return all.filter { !$0.isSuperseded } }
        let wanted = words.map { $0.lowercased() }
        for (word, lowercased) in zip(words, wanted) where !all.contains(where: { $0.names.contains(lowercased) }) {
            throw CommandError("There is no custom resource '\(word)'. martlet crds --list lists all.")
        }
        return all.filter { resource in wanted.contains { resource.names.contains($0) } }
    }

    /// The definitions as one stream of YAML documents.
    package static func stream(of resources: [CustomResource]) -> String {
        resources.map { "---\n\($0.definition)" }.joined()
    }

    /// A table with a line for each resource.
    package static func list(of resources: [CustomResource]) -> String {
        let rows = resources.map { resource in
            [
                resource.name, resource.kind, resource.version, resource.shortNames.joined(separator: ","),
                resource.isSuperseded ? "superseded" : "",
            ]
        }
        let table = [["NAME", "KIND", "VERSION", "SHORT", ""]] + rows
        let widths = table[0].indices.map { column in table.map { $0[column].count }.max() ?? 0 }
        return table.map { row in
            let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            let line = cells.joined(separator: "  ")
            return line.reversed().drop { $0 == " " }.reversed() + "\n"
        }.joined()
    }

    /// Everything that selects this resource, in lower case.
    private var names: Set<String> {
        Set([name, kind.lowercased(), plural, group] + shortNames)
    }
}

/// The two groups that an API of the same shape lives in.
package enum ObjectiveGroup: Sendable {
    /// `llm-d.ai`, where the API lives now.
    case current
    /// `inference.networking.x-k8s.io`, where it came from.
    case legacy

    /// The name of the group.
    var name: String {
        switch self {
        case .current: "llm-d.ai"
        case .legacy: "inference.networking.x-k8s.io"
        }
    }
}
