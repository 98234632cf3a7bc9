import DataLayer
import GatewayCore
import RequestFormats

/// `GET /v1/models` and `GET /v1/models/NAME`: the models and adapters of all pools that the client can reach, and the
/// names that exact rewrite rules give to such models.
enum ModelList {
    /// The answer; `nil` when the request is not for the model list, or when no endpoint has told its models yet, so
    /// that an endpoint answers.
    ///
    /// - Throws: ``Rejection`` `modelNotFound` for the name of a model that nobody serves.
    static func reply(
        to request: IncomingRequest,
        state: GatewayState,
        routes: RouteTableKey
    ) throws(Rejection) -> LocalReply? {
        guard request.method == "GET" || request.method == "HEAD", let name = modelName(in: request.path) else {
            return nil
        }
        let pools = (state.tables[routes]?.pools(below: request) ?? []).compactMap { state[pool: $0] }
        let served = pools.map(\.endpoints.current.models)
        if let name {
            for models in served {
                if let entry = models.entry(name) { return LocalReply(status: 200, json: entry.json) }
            }
            if pools.contains(where: { aliases(of: $0, state).contains(name) }) {
                var writer = JSONWriter()
                write(alias: name, to: &writer)
                return LocalReply(status: 200, json: writer.bytes)
            }
            guard !served.isEmpty, served.allSatisfy(\.allEndpointsHaveTold) else { return nil }
            throw Rejection(.modelNotFound, "The model '\(name)' does not exist.", parameter: "model")
        }
        let entries = served.flatMap { $0.union() }
        guard !entries.isEmpty else { return nil }
        var seen: Set<String> = []
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("object")
        writer.string("list")
        writer.key("data")
        writer.beginArray()
        for entry in entries where seen.insert(entry.id).inserted { writer.raw(entry.json) }
        for pool in pools {
            for alias in aliases(of: pool, state) where seen.insert(alias).inserted { write(alias: alias, to: &writer) }
        }
        writer.endArray()
        writer.endObject()
        return LocalReply(status: 200, json: writer.bytes)
    }

    /// The models that clients of a pool can ask for by its exact rewrite rules: those of whose targets one is served,
    /// or may be, as long as an endpoint has not told.
    private static func aliases(of pool: PoolRuntime, _ state: GatewayState) -> [String] {
        guard let table = state.rewrites(of: pool.id) else { return [] }
        let served = pool.endpoints.current.models
        return table.aliases.filter { alias in
            !served.allEndpointsHaveTold
                || table.rule(for: alias)?.targets.contains { served.serves($0.model) } ?? false
        }
    }

    /// Writes the entry of a model that is none of an endpoint's own. It tells nothing of what serves.
    private static func write(alias: String, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("id")
        writer.string(alias)
        writer.key("object")
        writer.string("model")
        writer.key("created")
        writer.integer(0)
        writer.key("owned_by")
        writer.string("martlet")
        writer.endObject()
    }

    /// What a path asks for: `.some(nil)` for the list, a name for one model, `nil` for something else.
    private static func modelName(in path: Substring) -> String?? {
        let prefix = "/v1/models"
        guard path.hasPrefix(prefix) else { return nil }
        let rest = path.dropFirst(prefix.count)
        if rest.isEmpty || rest == "/" { return .some(nil) }
        guard rest.first == "/" else { return nil }
        return .some(rest.dropFirst().percentDecoded(plusIsSpace: false))
    }
}
