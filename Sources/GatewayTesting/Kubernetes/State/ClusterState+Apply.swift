import FoundationEssentials

extension ClusterState {
    /// Server-side apply: creates the object or merges into it what one manager wants, and takes away what that manager
    /// wanted before and does no more.
    ///
    /// - Returns: the object, and whether it is new.
    /// - Throws: ``ScriptedAPIFailure``: 409 when another manager owns a field with another value and `force` is not
    ///   set.
    mutating func apply(
        _ target: ResourceTarget,
        _ configuration: ScriptedJSON,
        force: Bool,
        _ writer: Writer
    ) throws(ScriptedAPIFailure) -> (object: StoredObject, isNew: Bool) {
        var configuration = configuration
        guard configuration[path: "metadata", "managedFields"] == nil else {
            throw .badRequest("metadata.managedFields must be nil")
        }
        // The path says which object and which part of it is meant.
        if target.subresource == "status" {
            let status = configuration["status"]
            configuration = [
                "apiVersion": configuration["apiVersion"] ?? .null, "kind": configuration["kind"] ?? .null,
                "metadata": configuration["metadata"] ?? [:],
            ]
            configuration.set(nil, at: ["metadata", "labels"])
            configuration.set(nil, at: ["metadata", "annotations"])
            configuration["status"] = status
        } else if target.type.hasStatus {
            configuration["status"] = nil
        }
        try Self.check(configuration, target)
        var mine = FieldOwner(
            manager: writer.manager, operation: "Apply", apiVersion: target.type.apiVersion(target.version),
            subresource: target.subresource ?? "", fields: Fields.paths(of: configuration)
        )
        mine.time = Writer.timestamp(writer.now)
        guard let old = store.object(target.type.name, target.key) else {
            guard target.subresource == nil else { throw .notFound(target.type.name, target.key.name) }
            configuration.set(target.name.map { .string($0) }, at: ["metadata", "name"])
            if target.type.hasStatus { configuration["status"] = target.type.firstStatus }
            stampNew(&configuration, target, writer)
            Fields.set([mine], in: &configuration)
            return (commit(configuration, target.type, target.key, writer), true)
        }
        let live = old.value(as: target.type, target.version)
        var owners = Fields.owners(of: live)
        let before = owners.first { $0.isSame(as: mine) }?.fields ?? []
        owners.removeAll { $0.isSame(as: mine) }
        try settle(&owners, mine, live, configuration, force: force, target)
        var merged = ObjectPatch.mergeByKeys(configuration, into: live, isStrategic: false)
        // The present version, unless the configuration insists on one.
        merged.set(configuration[path: "metadata", "resourceVersion"], at: ["metadata", "resourceVersion"])
        let kept = owners.reduce(into: mine.fields) { $0.formUnion($1.fields) }
        for path in before.subtracting(kept) { Fields.remove(path[...], from: &merged) }
        return (try update(target, old, merged, writer, owners: owners + [mine]), false)
    }

    /// Finds the fields that another manager owns with another value, and takes them away by force.
    private func settle(
        _ owners: inout [FieldOwner],
        _ mine: FieldOwner,
        _ live: ScriptedJSON,
        _ configuration: ScriptedJSON,
        force: Bool,
        _ target: ResourceTarget
    ) throws(ScriptedAPIFailure) {
        let differing = mine.fields.filter { Fields.value($0, in: live) != Fields.value($0, in: configuration) }
        var causes: [ScriptedJSON] = []
        for index in owners.indices {
            let disputed = owners[index].fields.intersection(differing)
            if force { owners[index].fields.subtract(disputed) }
            for path in disputed.map(Fields.text).sorted() {
                let message = "conflict with \"\(owners[index].manager)\" using \(owners[index].apiVersion)"
                causes.append(
                    ["reason": "FieldManagerConflict", "message": .string(message), "field": .string(path)]
                )
            }
        }
        guard !force, !causes.isEmpty else { return }
        let list = causes.map { "\($0["message"]?.text ?? ""): \($0["field"]?.text ?? "")" }
        throw ScriptedAPIFailure(
            code: 409, reason: "Conflict",
            message: "Apply failed with \(causes.count) conflict\(causes.count == 1 ? "" : "s"): "
                + list.joined(separator: "\n"),
            details: ["causes": .array(causes)]
        )
    }
}
