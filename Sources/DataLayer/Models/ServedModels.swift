import GatewayCore

/// One entry of an endpoint's model list.
package struct ServedModel: Hashable, Sendable {
    /// The name by which requests ask for it.
    package let id: String
    /// The model that this one, an adapter, is based on; `nil` for a base model.
    package let parent: String?
    /// The entry as the endpoint wrote it: one valid JSON object, so that it can be served verbatim.
    package let json: [UInt8]

    /// Makes an entry; `json` must be one valid JSON object.
    package init(id: String, parent: String? = nil, json: [UInt8]) {
        self.id = id
        self.parent = parent
        self.json = json
    }
}

/// What the endpoints of a pool serve, by their own lists and by the adapters that their metrics name.
package struct ServedModels: Sendable {
    /// The endpoints' lists in endpoint order; `nil` for one that has not told.
    private let lists: [[ServedModel]?]
    private let names: Names

    /// The names, computed when one of them changed and shared by the views until the next change.
    final class Names: Sendable {
        /// The names in the endpoints' lists.
        let listed: Set<String>
        /// Adapters that metrics name and no list does.
        let adapters: Set<String>
        /// Whether there are endpoints and each has told its list.
        let allHaveTold: Bool

        init(_ endpoints: [EndpointSnapshot]) {
            var listed: Set<String> = []
            var allHaveTold = !endpoints.isEmpty
            for endpoint in endpoints {
                guard let models = endpoint.models else {
                    allHaveTold = false
                    continue
                }
                listed.formUnion(models)
            }
            var adapters: Set<String> = []
            for endpoint in endpoints {
                adapters.formUnion(endpoint.metrics.activeModels)
                adapters.formUnion(endpoint.metrics.waitingModels)
            }
            self.listed = listed
            self.adapters = adapters.subtracting(listed)
            self.allHaveTold = allHaveTold
        }

        /// Whether these names stay right when an endpoint's metrics change from `old` to `new`.
        ///
        /// Adapters that stand in a list come and go in the metrics with every scrape and change nothing.
        func stayRight(from old: EndpointMetrics, to new: EndpointMetrics) -> Bool {
            if old.activeModels == new.activeModels, old.waitingModels == new.waitingModels { return true }
            return old.activeModels.allSatisfy(listed.contains) && old.waitingModels.allSatisfy(listed.contains)
                && new.activeModels.allSatisfy(listed.contains) && new.waitingModels.allSatisfy(listed.contains)
        }
    }

    init(lists: [[ServedModel]?], names: Names) {
        self.lists = lists
        self.names = names
    }

    /// Whether there are endpoints and each of them has told its list, so that an unknown name is known to be unknown.
    package var allEndpointsHaveTold: Bool { names.allHaveTold }

    /// Whether no name has come or gone since `earlier`, of the same pool, was made; `false` when nobody knows.
    package func hasSameNames(as earlier: ServedModels) -> Bool { names === earlier.names }

    /// Whether an endpoint lists `model`, or names it as an adapter in its metrics.
    package func serves(_ model: String) -> Bool {
        names.listed.contains(model) || names.adapters.contains(model)
    }

    /// The entries of all lists in endpoint order, each name once: the first that stands there.
    package func union() -> [ServedModel] {
        var seen: Set<String> = []
        var union: [ServedModel] = []
        for list in lists {
            for model in list ?? [] where seen.insert(model.id).inserted { union.append(model) }
        }
        return union
    }

    /// The entry called `id`; `nil` when no endpoint lists it.
    package func entry(_ id: String) -> ServedModel? {
        for list in lists {
            if let found = list?.first(where: { $0.id == id }) { return found }
        }
        return nil
    }

    /// The base model of `id`: its parent, or itself when it is a base model; `nil` when no endpoint lists it.
    package func baseModel(of id: String) -> String? {
        entry(id).map { $0.parent ?? id }
    }

    /// ``union()`` as the body of an answer to `GET /v1/models`.
    package func listJSON() -> [UInt8] {
        let union = union()
        var json = Array(#"{"object":"list","data":["#.utf8)
        json.reserveCapacity(json.count + 2 + union.reduce(0) { $0 + $1.json.count + 1 })
        for (index, model) in union.enumerated() {
            if index > 0 { json.append(UInt8(ascii: ",")) }
            json += model.json
        }
        json += Array("]}".utf8)
        return json
    }
}
