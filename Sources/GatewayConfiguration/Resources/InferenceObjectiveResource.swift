import GatewayCore

/// An InferenceObjective: the priority of the requests that name it in `x-gateway-inference-objective`.
package struct InferenceObjectiveResource: Sendable {
    /// What identifies the objective.
    package let metadata: ResourceMetadata
    /// The pool whose requests may name it.
    package let pool: ResourceReference
    /// Higher goes first; below 0 may be shed. 0 when the file says nothing.
    package let priority: Int

    init(decoding document: ParameterDecoder, metadata: ResourceMetadata) {
        self.metadata = metadata
        let spec = document.requiredObject("spec")
        document.accept("status")
        pool = spec.poolReference("poolRef", namespace: metadata.id.namespace)
        priority = spec.int("priority", default: 0, in: Int(Int32.min)...Int(Int32.max))
    }
}
