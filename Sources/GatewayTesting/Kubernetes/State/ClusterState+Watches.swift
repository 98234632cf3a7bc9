/// The parameters of a watch.
struct WatchQuery: Hashable, Sendable {
    var selector = ObjectSelector()
    /// `resourceVersion`; empty or `0` for the present state first.
    var resourceVersion = ""
    /// Whether the present state comes first whatever the version is, and a bookmark ends it (WatchList).
    var sendInitialEvents = false
}

/// A line of a watch.
struct WatchEvent: Hashable, Sendable {
    enum Kind: String, Sendable {
        case added = "ADDED"
        case modified = "MODIFIED"
        case deleted = "DELETED"
    }

    var kind: Kind
    var object: StoredObject

    /// The line, with its end.
    func line(_ type: ScriptedResourceType, _ version: String) -> [UInt8] {
        var line = Array("{\"type\":\"\(kind.rawValue)\",\"object\":".utf8)
        object.write(as: type, version, to: &line)
        line += "}\n".utf8
        return line
    }

    /// A line of a watch with any type and object.
    static func line(_ kind: String, _ object: ScriptedJSON) -> [UInt8] {
        (["type": .string(kind), "object": object] as ScriptedJSON).bytes + Array("\n".utf8)
    }

    /// A bookmark: nothing but a version.
    static func bookmark(
        _ type: ScriptedResourceType,
        _ apiVersion: String,
        version: Int64,
        endsInitialEvents: Bool = false
    ) -> [UInt8] {
        var metadata: ScriptedJSON = ["resourceVersion": .string(String(version)), "creationTimestamp": .null]
        if endsInitialEvents { metadata["annotations"] = ["k8s.io/initial-events-end": "true"] }
        return line(
            "BOOKMARK",
            [
                "kind": .string(type.kind), "apiVersion": .string(type.apiVersion(apiVersion)), "metadata": metadata,
            ]
        )
    }
}

extension ClusterState {
    /// What a new watch is told at once, and the version after which it is told more.
    ///
    /// - Throws: ``ScriptedAPIFailure``: 410 when the version is compacted.
    func openWatch(
        _ type: ScriptedResourceType,
        _ query: WatchQuery
    ) throws(ScriptedAPIFailure) -> (events: [WatchEvent], after: Int64) {
        let asked = try Self.version(query.resourceVersion)
        if asked == 0 || query.sendInitialEvents {
            guard asked <= store.version else { throw .tooLarge(asked, present: store.version) }
            let present = store.objects(type.name).filter { query.selector.accepts($0.value.value) }
            let events = present.sorted { $0.key < $1.key }.map { WatchEvent(kind: .added, object: $0.value) }
            return (events, store.version)
        }
        guard let changes = store.changes(of: type.name, after: asked) else {
            throw .expired("too old resource version: \(asked) (\(store.compactedVersion))")
        }
        // A version that is still to come is no error: the watch is silent until the store has passed it.
        return (changes.compactMap { Self.event(of: $0, query.selector) }, max(asked, store.version))
    }

    /// What a change is for one who watches with a selector; `nil` for nothing.
    ///
    /// An object that stops matching is told as DELETED, with its old content at the new version, as the real cache of
    /// watches does.
    static func event(of change: Change, _ selector: ObjectSelector) -> WatchEvent? {
        let was = change.before.map { selector.accepts($0.value) } ?? false
        let isNow = !change.isRemoval && selector.accepts(change.object.value)
        switch (was, isNow) {
        case (false, false): return nil
        case (false, true): return WatchEvent(kind: .added, object: change.object)
        case (true, true): return WatchEvent(kind: .modified, object: change.object)
        case (true, false):
            let last = change.before?.renumbered(change.version) ?? change.object
            return WatchEvent(kind: .deleted, object: last)
        }
    }
}
