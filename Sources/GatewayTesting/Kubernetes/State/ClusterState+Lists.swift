import FoundationEssentials

/// The parameters of a list.
struct ListQuery: Hashable, Sendable {
    var selector = ObjectSelector()
    /// At most so many items; `0` for all.
    var limit = 0
    /// Where an earlier list stopped; empty for the start.
    var continueToken = ""
    /// `resourceVersion`; empty for the latest.
    var resourceVersion = ""
    /// `resourceVersionMatch`; empty for none.
    var match = ""
}

/// An answer to a list.
struct ListPage: Hashable, Sendable {
    var objects: [StoredObject]
    /// The version of the whole list.
    var version: Int64
    /// For the next page; empty at the end.
    var continueToken = ""
    /// How many items the next pages have, when that is known.
    var remaining: Int?
}

/// Where a list stopped.
private struct ContinueToken {
    /// The version of the list; -1 for the latest, after the snapshot was lost.
    var version: Int64
    /// The last key that was told.
    var after: ObjectKey

    var text: String {
        let value: ScriptedJSON = [
            "v": "meta.k8s.io/v1", "rv": .int(version), "ns": .string(after.namespace), "start": .string(after.name),
        ]
        return Data(value.bytes).base64EncodedString()
    }

    init(version: Int64, after: ObjectKey) {
        self.version = version
        self.after = after
    }

    init?(_ text: String) {
        guard let data = Data(base64Encoded: text), let value = try? ScriptedJSON(bytes: data),
            let version = value["rv"]?.integer, let namespace = value["ns"]?.text, let name = value["start"]?.text
        else { return nil }
        self.init(version: version, after: ObjectKey(namespace: namespace, name: name))
    }
}

extension ClusterState {
    /// Lists objects of a type.
    ///
    /// - Throws: ``ScriptedAPIFailure``: 410 when the version is compacted, 504 when it is still to come, 400 and 422
    ///   for parameters that cannot be.
    func list(_ type: ScriptedResourceType, _ query: ListQuery) throws(ScriptedAPIFailure) -> ListPage {
        guard query.continueToken.isEmpty else { return try nextPage(type, query) }
        let asked = try Self.version(query.resourceVersion)
        if !query.match.isEmpty, query.resourceVersion.isEmpty {
            throw .badRequest("resourceVersionMatch is forbidden unless resourceVersion is provided")
        }
        if query.match == "Exact", asked == 0 {
            throw .badRequest("resourceVersionMatch \"Exact\" is forbidden for resourceVersion \"0\"")
        }
        guard ["", "Exact", "NotOlderThan"].contains(query.match) else {
            throw .badRequest("resourceVersionMatch \"\(query.match)\" is not known")
        }
        guard asked <= store.version else { throw .tooLarge(asked, present: store.version) }
        // Version 0 is answered from the cache of watches, which does not page: the limit is ignored.
        if query.resourceVersion == "0" {
            return page(store.objects(type.name), at: store.version, after: nil, limit: 0, query.selector)
        }
        // A limit with a version means that very version, if nothing else is said.
        let isExact = query.match == "Exact" || (query.match.isEmpty && asked > 0 && query.limit > 0)
        let version = isExact ? asked : store.version
        guard let objects = store.objects(type.name, at: version) else {
            throw .expired("The resourceVersion for the provided list is too old.")
        }
        return page(objects, at: version, after: nil, limit: query.limit, query.selector)
    }

    private func nextPage(_ type: ScriptedResourceType, _ query: ListQuery) throws(ScriptedAPIFailure) -> ListPage {
        guard query.resourceVersion.isEmpty || query.resourceVersion == "0" else {
            throw .badRequest("specifying resource version is not allowed when using continue")
        }
        guard let token = ContinueToken(query.continueToken) else {
            throw .badRequest("continue key is not valid: \(query.continueToken)")
        }
        let version = token.version < 0 ? store.version : token.version
        guard let objects = store.objects(type.name, at: version) else {
            throw .expired(
                """
                The provided continue parameter is too old to display a consistent list result. You can start a new \
                list without the continue parameter, or use the continue token in this response to retrieve the \
                remainder of the results. Continuing with the provided token results in an inconsistent list.
                """,
                continueToken: ContinueToken(version: -1, after: token.after).text
            )
        }
        return page(objects, at: version, after: token.after, limit: query.limit, query.selector)
    }

    private func page(
        _ objects: [ObjectKey: StoredObject],
        at version: Int64,
        after: ObjectKey?,
        limit: Int,
        _ selector: ObjectSelector
    ) -> ListPage {
        let chosen = objects.filter { entry in
            after.map { $0 < entry.key } ?? true && selector.accepts(entry.value.value)
        }.sorted { $0.key < $1.key }
        guard limit > 0, chosen.count > limit else { return ListPage(objects: chosen.map(\.value), version: version) }
        return ListPage(
            objects: chosen[..<limit].map(\.value), version: version,
            continueToken: ContinueToken(version: version, after: chosen[limit - 1].key).text,
            // The real server does not count what a selector would leave out.
            remaining: selector.isPlain ? chosen.count - limit : nil
        )
    }

    /// Reads a resource version of a query.
    static func version(_ text: String) throws(ScriptedAPIFailure) -> Int64 {
        guard !text.isEmpty else { return 0 }
        guard let version = Int64(text), version >= 0 else {
            throw .badRequest("resourceVersion: Invalid value: \"\(text)\": strconv.ParseUint: invalid syntax")
        }
        return version
    }
}
