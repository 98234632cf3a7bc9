package import KubernetesClient

/// The condition `Accepted` that an object should have: whether the picker of its pool goes by what it says.
///
/// Nobody but the picker knows that of objectives, rewrites and models, so it writes it (a Gateway API condition:
/// `type`, `status`, `reason`, `message`, and the generation that it is about).
package struct DesiredStatus: Hashable, Sendable {
    /// The resource type of the object.
    package let resource: APIResource
    /// The object.
    package let name: ObjectName
    /// What tells it from an earlier one of its name.
    package let uid: String
    /// The condition. Its time of transition is that of the present condition when ``ClusterObject/Condition/status``
    /// stays, else `nil`: it is the time of the write.
    package let condition: ClusterObject.Condition
    /// Whether the object says otherwise now.
    package let isDue: Bool

    /// Decides what `object` should say.
    init(_ object: ClusterObject, _ resource: APIResource, _ verdict: Verdict) {
        self.resource = resource
        name = object.metadata.id
        uid = object.metadata.uid
        let present = object.conditions.first { $0.type == "Accepted" }
        let status = verdict.isAccepted ? "True" : "False"
        condition = ClusterObject.Condition(
            type: "Accepted",
            status: status,
            observedGeneration: object.metadata.generation,
            lastTransitionTime: present?.status == status ? present?.lastTransitionTime : nil,
            reason: verdict.reason,
            message: verdict.message
        )
        isDue =
            present?.status != condition.status || present?.reason != condition.reason
            || present?.message != condition.message || present?.observedGeneration != condition.observedGeneration
    }

    /// Whether the picker goes by an object, and why.
    struct Verdict {
        let isAccepted: Bool
        let reason: String
        let message: String

        static let accepted = Verdict(
            isAccepted: true, reason: "Accepted", message: "The endpoint picker of the pool goes by it."
        )

        /// The most characters of a fault. A condition's message has 32,768 at most, and nobody reads more than these.
        private static let faultMax = 2_000

        static func invalid(_ fault: String, stillHolds: Bool) -> Verdict {
            let shown = fault.count > faultMax ? "\(fault.prefix(faultMax))…" : "\(fault)."
            let rest = stillHolds ? " What it said before still holds." : ""
            return Verdict(isAccepted: false, reason: "Invalid", message: shown + rest)
        }

        static let shadowed = Verdict(
            isAccepted: false, reason: "Shadowed",
            message: "An object of the same name in the group llm-d.ai goes before."
        )

        static func modelInUse(_ model: String) -> Verdict {
            Verdict(
                isAccepted: false, reason: "ModelNameInUse",
                message: "An older InferenceModel of the pool is for the model '\(model)'."
            )
        }
    }
}
