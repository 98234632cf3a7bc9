extension CustomResource {
    /// `InferenceObjective` of version v1alpha2: how important requests are that name it.
    ///
    /// - Parameter group: which of its two API groups.
    package static func inferenceObjective(_ group: ObjectiveGroup) -> CustomResource {
        CustomResource(
            kind: "InferenceObjective",
            group: group.name,
            version: "v1alpha2",
            isSuperseded: group == .legacy,
            columns: [
                Column(name: "Inference Pool", type: "string", path: ".spec.poolRef.name"),
                Column(name: "Priority", type: "string", path: ".spec.priority"),
                Column(name: "Age", type: "date", path: ".metadata.creationTimestamp"),
            ],
            schema: inferenceObjectiveSchema(group)
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
