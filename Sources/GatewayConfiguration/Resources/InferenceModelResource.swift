import GatewayCore

/// An InferenceModel (`inference.networking.x-k8s.io/v1alpha2`), which later versions of the API split in two: it is
/// an InferenceObjective that all requests for the model have, and an InferenceModelRewrite to its target models.
package struct InferenceModelResource: Sendable {
    /// The priorities that the three levels stand for: sheddable is below 0.
    private enum Criticality: String, CaseIterable {
        case critical = "Critical"
        case standard = "Standard"
        case sheddable = "Sheddable"

        var priority: Int {
            switch self {
            case .critical: 1
            case .standard: 0
            case .sheddable: -1
            }
        }
    }

    /// What identifies the resource. A request may name it as its objective.
    package let metadata: ResourceMetadata
    /// The pool whose requests it is about.
    package let pool: ResourceReference
    /// The model that clients ask for.
    package let model: String
    /// The priority of its criticality; 0 when the file says nothing.
    package let priority: Int
    /// The rewrite to the target models; `nil` when the model serves itself.
    package let rewrite: InferenceModelRewriteResource?

    init(decoding document: ParameterDecoder, metadata: ResourceMetadata) {
        let spec = document.requiredObject("spec")
        document.accept("status")
        self.metadata = metadata
        pool = spec.poolReference("poolRef", namespace: metadata.id.namespace)
        model = spec.modelName("modelName")
        priority = spec.enumeration("criticality", default: Criticality.standard).priority
        guard spec.contains("targetModels") else {
            rewrite = nil
            return
        }
        let targets = InferenceModelRewriteResource.targets(spec, key: "targetModels", nameKey: "name")
        let rule = InferenceModelRewriteResource.Rule(
            models: [model],
            targets: targets,
            position: spec.position,
            path: spec.path
        )
        rewrite = InferenceModelRewriteResource(metadata: metadata, pool: pool, rules: [rule])
    }
}
