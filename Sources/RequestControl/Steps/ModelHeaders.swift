import DataLayer
import GatewayCore

/// Body-based routing: the body's model as header fields that routes can match and model servers can read.
///
/// A client's own fields of these names are always overwritten, so that nobody can reach a pool by naming one model in
/// the header and another in the body.
struct ModelHeaders {
    let mutation: HeaderMutation

    /// Finds the base model of `model` among the models that the pools' endpoints serve; empty when nobody knows it.
    init(model: String, pools: some Sequence<PoolRuntime>) {
        guard !model.isEmpty else {
            mutation = HeaderMutation(remove: [HeaderNames.modelName, HeaderNames.baseModelName])
            return
        }
        let known = pools.lazy.compactMap { $0.endpoints.current.models.baseModel(of: model) }.first ?? ""
        // The name comes from an endpoint's own list. One that cannot be a header field is as good as unknown.
        let base = known.firstControlCharacter == nil ? known : ""
        mutation = HeaderMutation(set: [
            HeaderMutation.Field(name: HeaderNames.modelName, value: model),
            HeaderMutation.Field(name: HeaderNames.baseModelName, value: base),
        ])
    }

    /// `request` with the fields in its header, for matching.
    func applied(to request: IncomingRequest) -> IncomingRequest {
        var request = request
        for name in mutation.remove { request.headers.remove(name: name) }
        for field in mutation.set { request.headers.replace(name: field.name, value: field.value) }
        return request
    }
}

extension String {
    /// The first byte that a header field must not have (RFC 9110, 5.5): a line break in a value would end the field,
    /// and the rest would be read as further fields or as another request.
    var firstControlCharacter: UInt8? {
        utf8.first { $0 < 0x20 || $0 == 0x7F }
    }
}
