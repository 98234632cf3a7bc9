import DataLayer
import GatewayCore

/// Body-based routing: the body's model as header fields that routes can match and model servers can read.
///
/// A client's own fields of these names are always overwritten, so that nobody can reach a pool by naming one model in
/// the header and another in the body.
struct ModelHeaders {
    let mutation: HeaderMutation

    /// Finds the base model of `model`: what the configuration maps it to, else what the pools' endpoints tell; empty
    /// when nobody knows it.
    init(model: String, mapping: ModelMapping, pools: some Sequence<PoolRuntime>) {
        guard !model.isEmpty else {
            mutation = HeaderMutation(remove: [HeaderNames.modelName, HeaderNames.baseModelName])
            return
        }
        let base = mapping.baseModel(of: model) ?? Self.servedBaseModel(of: model, pools: pools)
        mutation = HeaderMutation(set: [
            HeaderMutation.Field(name: HeaderNames.modelName, value: model),
            HeaderMutation.Field(name: HeaderNames.baseModelName, value: base),
        ])
    }

    /// The base model by the endpoints' own lists. One that cannot be a header field is as good as unknown.
    private static func servedBaseModel(of model: String, pools: some Sequence<PoolRuntime>) -> String {
        let known = pools.lazy.compactMap { $0.endpoints.current.models.baseModel(of: model) }.first ?? ""
        return FieldValueFault(known) == nil ? known : ""
    }

    /// `request` with the fields in its header, for matching.
    func applied(to request: IncomingRequest) -> IncomingRequest {
        var request = request
        for name in mutation.remove { request.headers.remove(name: name) }
        for field in mutation.set { request.headers.replace(name: field.name, value: field.value) }
        return request
    }
}
