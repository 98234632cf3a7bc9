extension CustomResource {
    /// `InferenceModelRewrite` of version v1alpha2: which model a request for a model is really for.
    ///
    /// - Parameter group: which of its two API groups.
    package static func inferenceModelRewrite(_ group: ObjectiveGroup) -> CustomResource {
        CustomResource(
            kind: "InferenceModelRewrite",
            group: group.name,
            version: "v1alpha2",
            isSuperseded: group == .legacy,
            columns: [
                Column(name: "Inference Pool", type: "string", path: ".spec.poolRef.name"),
                Column(name: "Age", type: "date", path: ".metadata.creationTimestamp"),
            ],
            schema: """
                description: >-
                  Which model a request is sent for in place of the one that its client names: aliases,
                  canaries and splits by weight.
                type: object
                properties:
                  \(SchemaFragment.objectProperties.indented(by: 2))
                  spec:
                    \(inferenceModelRewriteSpec.indented(by: 4))
                  status:
                    description: What the endpoint picker made of it.
                    type: object
                    properties:
                      conditions:
                        description: What holds of this object. The known type is Accepted.
                        default:
                        \(SchemaFragment.pendingCondition("Accepted").indented(by: 8))
                        \(SchemaFragment.conditions.indented(by: 8))
                """
        )
    }

    /// The schema of the specification. That the weights of a rule are all set or none is said, not checked: over lists
    /// without a limit an API server refuses such a check for what it could cost.
    private static let inferenceModelRewriteSpec = """
        description: >-
          The pool and the rules. Over all objects of a pool, a rule that names the request's model goes before one
          that matches everything; then that of the older object holds, then the earlier one of the same object.
        type: object
        required:
        - poolRef
        - rules
        properties:
          poolRef:
            description: The pool that the requests go to, in the same namespace.
            \(SchemaFragment.poolReference(group: "inference.networking.k8s.io").indented(by: 4))
          rules:
            description: What to match, and the models in its place.
            type: array
            x-kubernetes-list-type: atomic
            items:
              type: object
              properties:
                matches:
                  description: >-
                    The requests that the rule is for: one match is enough. Without any it is for all requests.
                  type: array
                  x-kubernetes-list-type: atomic
                  items:
                    type: object
                    required:
                    - model
                    properties:
                      model:
                        description: The model that the request's body names.
                        type: object
                        required:
                        - value
                        properties:
                          type:
                            description: How the name is compared.
                            type: string
                            default: Exact
                            enum:
                            - Exact
                          value:
                            description: The name.
                            type: string
                            minLength: 1
                targets:
                  description: >-
                    The models in its place. Give all of them a weight, or none: then they get equal shares.
                  type: array
                  minItems: 1
                  x-kubernetes-list-type: atomic
                  items:
                    type: object
                    required:
                    - modelRewrite
                    properties:
                      modelRewrite:
                        description: The model that the request is sent for.
                        type: string
                      weight:
                        description: The share of requests, in relation to the sum of all weights of the rule.
                        type: integer
                        format: int32
                        minimum: 1
                        maximum: 1000000
        """
}
