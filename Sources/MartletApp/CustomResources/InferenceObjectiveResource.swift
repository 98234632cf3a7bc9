extension CustomResource {
    /// `InferenceObjective` of version v1alpha2: how important requests are that name it.
    ///
    /// - Parameter group: which of its two API groups.
    package static func inferenceObjective(_ group: ObjectiveGroup) -> CustomResource {
        CustomResource(
            kind: "InferenceObjective",
            plural: "inferenceobjectives",
            shortNames: [],
            group: group.name,
            version: "v1alpha2",
            isSuperseded: group == .legacy,
            definition: """
                apiVersion: apiextensions.k8s.io/v1
                kind: CustomResourceDefinition
                metadata:
                  name: inferenceobjectives.\(group.name)\(group.annotations)
                spec:
                  group: \(group.name)
                  scope: Namespaced
                  names:
                    kind: InferenceObjective
                    listKind: InferenceObjectiveList
                    plural: inferenceobjectives
                    singular: inferenceobjective
                  versions:
                  - name: v1alpha2
                    served: true
                    storage: true
                    subresources:
                      status: {}
                    additionalPrinterColumns:
                    - name: Inference Pool
                      type: string
                      jsonPath: .spec.poolRef.name
                    - name: Priority
                      type: string
                      jsonPath: .spec.priority
                    - name: Age
                      type: date
                      jsonPath: .metadata.creationTimestamp
                    schema:
                      openAPIV3Schema:
                        \(inferenceObjectiveSchema(group).indented(by: 8))

                """
        )
    }

    /// The schema of an object. Only the later API holds the priority to 32 bits.
    private static func inferenceObjectiveSchema(_ group: ObjectiveGroup) -> String {
        let number =
            switch group {
            case .current: "type: integer\nformat: int32"
            case .legacy: "type: integer"
            }
        return """
            description: >-
              How important the requests are that name this object in the header x-gateway-inference-objective. A
              request that names none, or one that does not exist, has priority 0.
            type: object
            properties:
              \(SchemaFragment.objectProperties.indented(by: 2))
              spec:
                description: The pool and the priority.
                type: object
                required:
                - poolRef
                properties:
                  poolRef:
                    description: The pool that the requests go to, in the same namespace.
                    \(SchemaFragment.poolReference(group: "inference.networking.k8s.io").indented(by: 8))
                  priority:
                    description: >-
                      Requests of a higher priority are served first; among those of the same priority, fairness
                      holds. Without it 0. Requests of a negative one are the first that are refused when the pool
                      is full.
                    \(number.indented(by: 8))
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
    }
}
