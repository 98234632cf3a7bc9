import DataLayer
import GatewayCore
import RequestFormats

/// `GET /v1/models` and `GET /v1/models/NAME`: the models and adapters of all pools that the client can reach.
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
        writer.endArray()
        writer.endObject()
        return LocalReply(status: 200, json: writer.bytes)
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
