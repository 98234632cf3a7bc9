import GatewayCore

/// An InferenceModel (`inference.networking.x-k8s.io/v1alpha2`), which later versions of the API split in two: it is
/// read as an InferenceObjective of its criticality and an InferenceModelRewrite of its target models.
struct InferenceModelResource {
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

    /// The objective with the model's criticality.
    let objective: InferenceObjectiveResource
    /// The rewrite to the target models; `nil` when there is none.
    let rewrite: InferenceModelRewriteResource?

    init(decoding document: ParameterDecoder, metadata: ResourceMetadata) {
        let spec = document.requiredObject("spec")
        document.accept("status")
        let pool = spec.poolReference("poolRef", namespace: metadata.id.namespace)
        let model = spec.requiredString("modelName")
        let criticality = spec.enumeration("criticality", of: Criticality.self)
        if criticality != nil {
            let header = "x-gateway-inference-objective: \(metadata.id.name)"
            spec.warn(
                "holds only for requests with the header field \"\(header)\", not for all of the model",
                at: "criticality")
        }
        objective = InferenceObjectiveResource(
            metadata: metadata, pool: pool, priority: (criticality ?? .standard).priority
        )
        guard spec.contains("targetModels") else {
            rewrite = nil
            return
        }
        let targets = InferenceModelRewriteResource.targets(spec, key: "targetModels", nameKey: "name")
        let rule = InferenceModelRewriteResource.Rule(models: [model], targets: targets, position: spec.position)
        rewrite = InferenceModelRewriteResource(metadata: metadata, pool: pool, rules: [rule])
    }
}
