extension CustomResource {
    /// `InferenceModel` of `inference.networking.x-k8s.io/v1alpha2`: what InferenceObjective and InferenceModelRewrite
    /// took the place of.
    package static let inferenceModel = CustomResource(
        kind: "InferenceModel",
        group: "inference.networking.x-k8s.io",
        version: "v1alpha2",
        isSuperseded: true,
        columns: [
            Column(name: "Model Name", type: "string", path: ".spec.modelName"),
            Column(name: "Inference Pool", type: "string", path: ".spec.poolRef.name"),
            Column(name: "Criticality", type: "string", path: ".spec.criticality"),
            Column(name: "Age", type: "date", path: ".metadata.creationTimestamp"),
        ],
        schema: """
            description: >-
              How important requests for a model are, and which models serve them. Superseded by
              InferenceObjective and InferenceModelRewrite.
            type: object
            properties:
              \(SchemaFragment.objectProperties.indented(by: 2))
              spec:
                \(inferenceModelSpec.indented(by: 4))
              status:
                description: What the endpoint picker made of it.
                type: object
                properties:
                  conditions:
                    description: What holds of this object. The known type is Accepted.
                    default:
                    \(SchemaFragment.pendingCondition("Ready").indented(by: 8))
                    \(SchemaFragment.conditions.indented(by: 8))
            """
    )

    /// The schema of the specification.
    private static let inferenceModelSpec = """
        description: The model, the pool, and what becomes of requests.
        type: object
        required:
        - modelName
        - poolRef
        properties:
          modelName:
            description: >-
              The model that requests name. One object of a pool may have it: the oldest one holds.
            type: string
            maxLength: 256
            x-kubernetes-validations:
            - rule: self == oldSelf
              message: modelName is immutable
          criticality:
            description: How important the requests are. Without it Standard.
            type: string
            enum:
            - Critical
            - Standard
            - Sheddable
          targetModels:
            description: The models that serve the requests, by weight. Without any, modelName itself.
            type: array
            maxItems: 10
            x-kubernetes-list-type: atomic
            x-kubernetes-validations:
            - rule: self.all(model, has(model.weight)) || self.all(model, !has(model.weight))
              message: set the weight of all target models, or of none
            items:
              type: object
              required:
              - name
              properties:
                name:
                  description: The model or adapter, as the model servers name it.
                  type: string
                  maxLength: 253
                weight:
                  description: The share of requests, in relation to the sum of all weights.
                  type: integer
                  format: int32
                  minimum: 1
                  maximum: 1000000
          poolRef:
            description: The pool that the requests go to, in the same namespace.
            \(SchemaFragment.poolReference(group: "inference.networking.x-k8s.io").indented(by: 4))
        """
}
