import FoundationEssentials

/// What came of a deletion.
enum DeleteOutcome: Hashable, Sendable {
    /// The object is gone; this is how it was last.
    case gone(StoredObject)
    /// The object stays until its grace period or its finalizers end.
    case terminating(StoredObject)
}

extension ClusterState {
    /// Deletes an object: at once, or by marking it when it has finalizers or is a pod that runs.
    ///
    /// A pod that is on a node and has not ended stays with `metadata.deletionTimestamp` until ``finishDeletion(_:)``;
    /// one that is on no node is gone at once, as on a real server.
    ///
    /// - Throws: ``ScriptedAPIFailure``: 404 when there is none, 409 when a precondition does not hold.
    mutating func delete(
        _ target: ResourceTarget,
        _ options: ScriptedJSON,
        _ writer: Writer
    ) throws(ScriptedAPIFailure) -> DeleteOutcome {
        let old = try get(target)
        try checkPreconditions(options["preconditions"] ?? [:], old, target)
        let grace = gracePeriod(of: old, options, target)
        let hasFinalizers = !(old.metadata["finalizers"]?.elements ?? []).isEmpty
        if grace == 0, !hasFinalizers {
            return .gone(remove(target.type, target.key) ?? old)
        }
        let present = old.metadata["deletionGracePeriodSeconds"]?.integer
        if old.metadata["deletionTimestamp"] != nil, present.map({ $0 <= grace }) ?? true { return .terminating(old) }
        var new = old.value
        let end = writer.now.addingTimeInterval(Double(grace))
        new.set(Writer.timestamp(end), at: ["metadata", "deletionTimestamp"])
        new.set(.int(grace), at: ["metadata", "deletionGracePeriodSeconds"])
        if target.type.hasGeneration, let generation = old.metadata["generation"]?.integer {
            new.set(.int(generation + 1), at: ["metadata", "generation"])
        }
        return .terminating(store.put(new, target.type.name, target.key))
    }

    /// Ends the deletion of an object that was marked, as a kubelet or the owner of a finalizer would. `nil` when there
    /// is no such object.
    @discardableResult
    mutating func finishDeletion(_ target: ResourceTarget) -> StoredObject? {
        guard let object = store.object(target.type.name, target.key), object.metadata["deletionTimestamp"] != nil
        else { return nil }
        return remove(target.type, target.key)
    }

    private func checkPreconditions(
        _ wanted: ScriptedJSON,
        _ object: StoredObject,
        _ target: ResourceTarget
    ) throws(ScriptedAPIFailure) {
        if let uid = wanted["uid"]?.text, uid != object.metadata["uid"]?.text {
            throw .conflict(
                target.type.name, target.key.name,
                "Precondition failed: UID in precondition: \(uid), UID in object meta: "
                    + (object.metadata["uid"]?.text ?? "")
            )
        }
        if let version = wanted["resourceVersion"]?.text, version != String(object.version) {
            throw .conflict(
                target.type.name, target.key.name,
                "Precondition failed: ResourceVersion in precondition: \(version), ResourceVersion in object meta: "
                    + "\(object.version)"
            )
        }
    }

    private func gracePeriod(of object: StoredObject, _ options: ScriptedJSON, _ target: ResourceTarget) -> Int64 {
        guard target.type.name == GroupResource(group: "", plural: "pods") else { return 0 }
        let isRunning =
            object.value[path: "spec", "nodeName"]?.text?.isEmpty == false
            && !["Succeeded", "Failed"].contains(object.value[path: "status", "phase"]?.text ?? "")
        guard isRunning else { return 0 }
        let own = object.value[path: "spec", "terminationGracePeriodSeconds"]?.integer
        return max(0, options["gracePeriodSeconds"]?.integer ?? own ?? 30)
    }
}
