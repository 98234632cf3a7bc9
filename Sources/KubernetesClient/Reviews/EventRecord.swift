/// Something that happened to an object, for people to read (`kubectl describe`).
package struct EventRecord: Hashable, Sendable {
    /// Whether it is news or trouble.
    package enum Kind: String, Hashable, Sendable {
        case normal = "Normal"
        case warning = "Warning"
    }

    /// Whether it is news or trouble.
    package var kind: Kind
    /// Why, in one word such as `LeaderElection`; at most 128 characters.
    package var reason: String
    /// What was done, in one word; at most 128 characters.
    package var action: String
    /// What happened, in a sentence; cut at 1,024 bytes.
    package var note: String
    /// What it happened to.
    package var regarding: ObjectReference
    /// Who tells it, such as `martlet.dev/epp`.
    package var reportingController: String
    /// Which of its processes; at most 128 characters.
    package var reportingInstance: String

    /// Makes a record.
    package init(
        kind: Kind = .normal,
        reason: String,
        action: String,
        note: String,
        regarding: ObjectReference,
        reportingController: String,
        reportingInstance: String
    ) {
        self.kind = kind
        self.reason = reason
        self.action = action
        self.note = note
        self.regarding = regarding
        self.reportingController = reportingController
        self.reportingInstance = reportingInstance
    }
}

/// Which object something is about.
package struct ObjectReference: Hashable, Sendable {
    /// Its type.
    package var resource: APIResource
    /// Its name.
    package var name: ObjectName
    /// What tells it from an earlier one of the same name; empty when unknown.
    package var uid: String

    /// Makes a reference.
    package init(resource: APIResource, name: ObjectName, uid: String = "") {
        self.resource = resource
        self.name = name
        self.uid = uid
    }
}
