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

extension APIClient {
    /// Writes an event about an object (`events.k8s.io/v1`), in the object's namespace; in `default` about an object
    /// outside namespaces.
    ///
    /// - Parameter time: when it happened.
    package func recordEvent(_ event: EventRecord, at time: MicroTime = .now) async throws(APIError) {
        let namespace = event.regarding.name.namespace.isEmpty ? "default" : event.regarding.name.namespace
        // Names of events must be new each time; the time and the object make them so, as others do.
        let suffix = String(time.microseconds, radix: 16) + String(UInt16.random(in: .min ... .max), radix: 16)
        let object = EventObject(
            metadata: ["name": "\(event.regarding.name.name.prefix(200)).\(suffix)", "namespace": namespace],
            eventTime: time.text,
            type: event.kind.rawValue,
            reason: String(event.reason.prefix(128)),
            action: String(event.action.prefix(128)),
            note: event.note.prefix(bytes: 1024),
            regarding: [
                "apiVersion": event.regarding.resource.apiVersion, "kind": event.regarding.resource.kind,
                "namespace": event.regarding.name.namespace, "name": event.regarding.name.name,
                "uid": event.regarding.uid,
            ],
            reportingController: event.reportingController,
            reportingInstance: String(event.reportingInstance.prefix(128))
        )
        try await create(
            APIResource(group: "events.k8s.io", version: "v1", plural: "events", kind: "Event"),
            namespace: namespace, body: object
        )
    }
}

private struct EventObject: Encodable {
    let apiVersion = "events.k8s.io/v1"
    let kind = "Event"
    let metadata: [String: String]
    let eventTime: String
    let type: String
    let reason: String
    let action: String
    let note: String
    let regarding: [String: String]
    let reportingController: String
    let reportingInstance: String
}

extension String {
    /// As much of the beginning as fits into `bytes` bytes of UTF-8.
    fileprivate func prefix(bytes: Int) -> String {
        guard utf8.count > bytes else { return self }
        var text = String()
        for character in self {
            guard text.utf8.count + character.utf8.count <= bytes else { break }
            text.append(character)
        }
        return text
    }
}
