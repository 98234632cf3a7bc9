import GatewayConfiguration
package import KubernetesClient

/// The resource types that Martlet reads and writes.
package enum ClusterResources {
    /// Pods, of which the endpoints are made.
    package static let pods = APIResource(group: "", version: "v1", plural: "pods", kind: "Pod")
    /// ConfigMaps, which say the base models of adapters.
    package static let configMaps = APIResource(group: "", version: "v1", plural: "configmaps", kind: "ConfigMap")
    /// What the picker of a pool imported from another cluster is called by.
    package static let poolImports = APIResource(
        group: APIGroup.inferenceAlpha, version: "v1alpha1", plural: "inferencepoolimports", kind: "InferencePoolImport"
    )
    /// What later versions of the API split into objectives and rewrites.
    package static let models = APIResource(
        group: APIGroup.inferenceAlpha, version: "v1alpha2", plural: "inferencemodels", kind: "InferenceModel"
    )

    /// InferencePools of an API group; `nil` when the group has none.
    package static func pools(group: String) -> APIResource? {
        switch group {
        case APIGroup.inference: pool(group, version: "v1")
        case APIGroup.inferenceAlpha: pool(group, version: "v1alpha2")
        default: nil
        }
    }

    private static func pool(_ group: String, version: String) -> APIResource {
        APIResource(group: group, version: version, plural: "inferencepools", kind: "InferencePool")
    }

    /// InferenceObjectives, in the group where they are now and in that where they were. The earlier one in the list
    /// goes before where both have an object of one name.
    package static let objectives = grouped(plural: "inferenceobjectives", kind: "InferenceObjective")

    /// InferenceModelRewrites, likewise.
    package static let rewrites = grouped(plural: "inferencemodelrewrites", kind: "InferenceModelRewrite")

    private static func grouped(plural: String, kind: String) -> [APIResource] {
        [APIGroup.llmD, APIGroup.inferenceAlpha].map { group in
            APIResource(group: group, version: "v1alpha2", plural: plural, kind: kind)
        }
    }
}
