import FoundationEssentials

extension ClusterState {
    private static let definitions = GroupResource(group: "apiextensions.k8s.io", plural: "customresourcedefinitions")

    /// The object of a target.
    ///
    /// - Throws: ``ScriptedAPIFailure`` with status 404.
    func get(_ target: ResourceTarget) throws(ScriptedAPIFailure) -> StoredObject {
        guard let object = store.object(target.type.name, target.key) else {
            throw .notFound(target.type.name, target.key.name)
        }
        return object
    }

    /// Creates an object.
    ///
    /// - Throws: ``ScriptedAPIFailure``: 409 when there is one of that name, 400 or 422 for one that cannot be.
    mutating func create(
        _ target: ResourceTarget,
        _ body: ScriptedJSON,
        _ writer: Writer
    ) throws(ScriptedAPIFailure) -> StoredObject {
        let type = target.type
        try Self.check(body, target)
        var object = body
        if (object[path: "metadata", "name"]?.text ?? "").isEmpty,
            let prefix = object[path: "metadata", "generateName"]?.text, !prefix.isEmpty
        {
            object.set(.string(prefix + makeNameSuffix()), at: ["metadata", "name"])
        }
        guard let name = object[path: "metadata", "name"]?.text, !name.isEmpty else {
            throw .invalid(
                type, "", field: "metadata.name", "Required value: name or generateName is required",
                reason: "FieldValueRequired"
            )
        }
        var target = target
        target.name = name
        guard store.object(type.name, target.key) == nil else { throw .alreadyExists(type.name, name) }
        if type.hasStatus { object["status"] = type.firstStatus }
        stampNew(&object, target, writer)
        var owner = FieldOwner(
            manager: writer.manager, operation: "Update", apiVersion: type.apiVersion(target.version), subresource: ""
        )
        owner.fields = Fields.paths(of: object)
        owner.time = Writer.timestamp(writer.now)
        Fields.set([owner], in: &object)
        return commit(object, type, target.key, writer)
    }

    /// Replaces an object, or its status.
    ///
    /// - Throws: ``ScriptedAPIFailure``: 404 when there is none, 409 when the body has an old version, 400 or 422 for
    ///   one that cannot be.
    mutating func replace(
        _ target: ResourceTarget,
        _ body: ScriptedJSON,
        _ writer: Writer
    ) throws(ScriptedAPIFailure) -> StoredObject {
        try Self.check(body, target)
        let old = try get(target)
        if (body[path: "metadata", "resourceVersion"]?.text ?? "").isEmpty, !target.type.allowsBlindWrites {
            throw .invalid(
                target.type, target.key.name, field: "metadata.resourceVersion",
                "Invalid value: 0x0: must be specified for an update"
            )
        }
        return try update(target, old, body, writer)
    }

    /// Patches an object, or its status.
    ///
    /// - Throws: ``ScriptedAPIFailure``: 404 when there is none, 415 for a kind of patch that the type does not take,
    ///   409 when the patch names an old version, 422 when it does not fit.
    mutating func patch(
        _ target: ResourceTarget,
        _ contentType: String,
        _ patch: ScriptedJSON,
        _ writer: Writer
    ) throws(ScriptedAPIFailure) -> StoredObject {
        let old = try get(target)
        var present = old.value(as: target.type, target.version)
        // A patch without a version fits every version.
        present.set(nil, at: ["metadata", "resourceVersion"])
        let new: ScriptedJSON
        switch contentType {
        case "application/merge-patch+json": new = ObjectPatch.merge(patch, into: present)
        case "application/json-patch+json":
            // Here a test of the version may be among the operations.
            new = try ObjectPatch.apply(patch, to: old.value(as: target.type, target.version))
        case "application/strategic-merge-patch+json" where !target.type.isCustom:
            new = ObjectPatch.mergeByKeys(patch, into: present, isStrategic: true)
        default:
            throw .unsupportedMediaType(
                contentType,
                accepted: [
                    "application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml",
                ]
            )
        }
        try Self.check(new, target)
        return try update(target, old, new, writer)
    }

    /// Writes an object as a test wants it, whether there was one or not: spec and status together, valid or not.
    ///
    /// - Throws: ``ScriptedAPIFailure`` when the object has no name, or no type that is served.
    @discardableResult
    mutating func put(_ object: ScriptedJSON, _ writer: Writer) throws(ScriptedAPIFailure) -> StoredObject {
        guard let (type, version) = type(of: object) else {
            throw .badRequest("no type is served for \(object["apiVersion"] ?? .null) \(object["kind"] ?? .null)")
        }
        guard let name = object[path: "metadata", "name"]?.text else {
            throw .badRequest("an object needs metadata.name")
        }
        var target = ResourceTarget(type: type, version: version, name: name)
        if type.isNamespaced { target.namespace = object[path: "metadata", "namespace"]?.text ?? "default" }
        var new = object
        guard let old = store.object(type.name, target.key) else {
            stampNew(&new, target, writer)
            return commit(new, type, target.key, writer)
        }
        keepServerFields(of: old, in: &new, target)
        count(&new, old, target)
        return commit(new, type, target.key, writer)
    }

    // MARK: - The steps of a write

    /// Replaces `old` by what a client proposes, as far as the client may.
    mutating func update(
        _ target: ResourceTarget,
        _ old: StoredObject,
        _ proposal: ScriptedJSON,
        _ writer: Writer,
        owners: [FieldOwner]? = nil
    ) throws(ScriptedAPIFailure) -> StoredObject {
        let given = proposal["metadata"]
        if let version = given?["resourceVersion"]?.text, !version.isEmpty, version != String(old.version) {
            throw .conflict(target.type.name, target.key.name)
        }
        let identity = old.metadata["uid"]?.text ?? ""
        if let uid = given?["uid"]?.text, !uid.isEmpty, uid != identity {
            throw .conflict(
                target.type.name, target.key.name,
                "Precondition failed: UID in precondition: \(uid), UID in object meta: \(identity)"
            )
        }
        var new = proposal
        if target.subresource == "status" {
            new = old.value
            new["status"] = proposal["status"]
        } else if target.type.hasStatus {
            new["status"] = old.value["status"]
        }
        keepServerFields(of: old, in: &new, target)
        count(&new, old, target)
        Fields.set(owners ?? self.owners(after: new, old, target, writer), in: &new)
        return commit(new, target.type, target.key, writer)
    }

    /// Takes the metadata that only the server writes from the old object.
    private func keepServerFields(of old: StoredObject, in new: inout ScriptedJSON, _ target: ResourceTarget) {
        let kept = [
            "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation",
            "managedFields", "name", "namespace",
        ]
        for name in kept { new.set(old.metadata[name], at: ["metadata", name]) }
    }

    /// Counts a change of what is neither metadata nor status.
    private func count(_ new: inout ScriptedJSON, _ old: StoredObject, _ target: ResourceTarget) {
        guard target.type.hasGeneration else { return }
        let generation = old.metadata["generation"]?.integer ?? 1
        func desired(_ object: ScriptedJSON) -> [String: ScriptedJSON] {
            (object.members ?? [:]).filter { key, _ in
                !["apiVersion", "kind", "metadata"].contains(key) && !(key == "status" && target.type.hasStatus)
            }
        }
        let isChanged = desired(new) != desired(old.value)
        new.set(.int(isChanged ? generation + 1 : generation), at: ["metadata", "generation"])
    }

    /// Gives a new object what the server gives it.
    mutating func stampNew(_ object: inout ScriptedJSON, _ target: ResourceTarget, _ writer: Writer) {
        object.set(.string(makeIdentity()), at: ["metadata", "uid"])
        object.set(Writer.timestamp(writer.now), at: ["metadata", "creationTimestamp"])
        object.set(target.type.hasGeneration ? 1 : nil, at: ["metadata", "generation"])
        object.set(target.type.isNamespaced ? .string(target.key.namespace) : nil, at: ["metadata", "namespace"])
        for name in ["managedFields", "deletionTimestamp", "deletionGracePeriodSeconds"] {
            object.set(nil, at: ["metadata", name])
        }
    }

    /// Who owns what after a write that was no apply.
    private func owners(
        after new: ScriptedJSON,
        _ old: StoredObject,
        _ target: ResourceTarget,
        _ writer: Writer
    ) -> [FieldOwner] {
        let present = Fields.paths(of: new)
        let changed = present.filter { Fields.value($0, in: new) != Fields.value($0, in: old.value) }
        var owners = Fields.owners(of: old.value)
        for index in owners.indices {
            owners[index].fields.formIntersection(present)
            owners[index].fields.subtract(changed)
        }
        guard !changed.isEmpty else { return owners }
        var mine = FieldOwner(
            manager: writer.manager, operation: "Update", apiVersion: target.type.apiVersion(target.version),
            subresource: target.subresource ?? "", fields: changed
        )
        mine.time = Writer.timestamp(writer.now)
        if let index = owners.firstIndex(where: { $0.isSame(as: mine) }) {
            mine.fields.formUnion(owners[index].fields)
            owners[index] = mine
        } else {
            owners.append(mine)
        }
        return owners
    }

    /// Writes what differs from the store, and does what follows from it.
    mutating func commit(
        _ new: ScriptedJSON,
        _ type: ScriptedResourceType,
        _ key: ObjectKey,
        _ writer: Writer
    ) -> StoredObject {
        let old = store.object(type.name, key)
        // A write that changes nothing is none: there is no new version, and watches hear nothing.
        if let old, Self.withoutTimes(StoredObject(new, version: old.version).value) == Self.withoutTimes(old.value) {
            return old
        }
        let isGone =
            new[path: "metadata", "deletionTimestamp"] != nil
            && (new[path: "metadata", "finalizers"]?.elements ?? []).isEmpty
            && new[path: "metadata", "deletionGracePeriodSeconds"]?.integer ?? 0 == 0
        if isGone, let last = remove(type, key) { return last }
        let object = store.put(new, type.name, key)
        return type.name == Self.definitions ? establish(object, key) : object
    }

    private static func withoutTimes(_ object: ScriptedJSON) -> ScriptedJSON {
        guard let entries = object[path: "metadata", "managedFields"]?.elements else { return object }
        var object = object
        let timeless = entries.map { entry in
            var entry = entry
            entry["time"] = nil
            return entry
        }
        object.set(.array(timeless), at: ["metadata", "managedFields"])
        return object
    }

    /// Removes an object, and with a definition its type.
    mutating func remove(_ type: ScriptedResourceType, _ key: ObjectKey) -> StoredObject? {
        if type.name == Self.definitions, let object = store.object(type.name, key),
            let defined = ScriptedResourceType(definition: object.value)
        {
            unregister(defined.name)
        }
        return store.remove(type.name, key)
    }

    /// Serves the type of a definition, and says so in its status.
    private mutating func establish(_ object: StoredObject, _ key: ObjectKey) -> StoredObject {
        guard let type = ScriptedResourceType(definition: object.value) else { return object }
        register(type)
        guard object.value[path: "status", "acceptedNames"] == nil else { return object }
        var new = object.value
        let time = object.metadata["creationTimestamp"] ?? .null
        func condition(_ type: String, _ reason: String, _ message: String) -> ScriptedJSON {
            [
                "type": .string(type), "status": "True", "lastTransitionTime": time, "reason": .string(reason),
                "message": .string(message),
            ]
        }
        new["status"] = [
            "conditions": [
                condition("NamesAccepted", "NoConflicts", "no conflicts found"),
                condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
            ],
            "acceptedNames": new[path: "spec", "names"] ?? [:],
            "storedVersions": .array(type.versions.prefix(1).map { .string($0) }),
        ]
        return store.put(new, Self.definitions, key)
    }

    /// Refuses a body that the real server could not read.
    static func check(_ body: ScriptedJSON, _ target: ResourceTarget) throws(ScriptedAPIFailure) {
        guard body.members != nil else { throw .badRequest("the body of the request is no object") }
        let apiVersion = target.type.apiVersion(target.version)
        for (name, wanted) in [("apiVersion", apiVersion), ("kind", target.type.kind)] {
            guard let given = body[name]?.text, !given.isEmpty else {
                if !target.type.isCustom { continue }
                throw .badRequest("Object '\(name)' is missing in the body of the request")
            }
            guard given == wanted else {
                throw .badRequest(
                    "the \(name) in the data (\(given)) does not match the expected \(name) (\(wanted))"
                )
            }
        }
        let metadata = body["metadata"] ?? [:]
        for name in ["name", "namespace", "resourceVersion", "uid", "generateName"] {
            if let value = metadata[name], value != .null, value.text == nil {
                throw .badRequest("json: cannot unmarshal into ObjectMeta.metadata.\(name) of type string: \(value)")
            }
        }
        for name in ["labels", "annotations"] {
            if let value = metadata[name], value != .null, value.members?.values.allSatisfy({ $0.text != nil }) != true
            {
                throw .badRequest("json: cannot unmarshal into ObjectMeta.metadata.\(name) of type string")
            }
        }
        if let name = target.name, let given = metadata["name"]?.text, !given.isEmpty, given != name {
            throw .badRequest(
                "the name of the object (\(given)) does not match the name on the URL (\(name))"
            )
        }
        if let namespace = target.namespace, let given = metadata["namespace"]?.text, !given.isEmpty,
            given != namespace
        {
            throw .badRequest("the namespace of the provided object does not match the namespace sent on the request")
        }
    }
}
