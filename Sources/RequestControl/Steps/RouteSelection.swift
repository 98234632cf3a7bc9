import GatewayCore

/// The rule and the pool that a request's host, path, header and model lead to.
final class RouteSelection {
    let rule: RouteRule
    let pool: PoolRuntime
    /// The changes to the request's header, in the order in which they apply.
    let requestHeaders: [HeaderMutation]

    /// Finds the route.
    ///
    /// - Parameter isBehindProxy: whether a proxy asked. Then the model headers are set only where routes look at
    ///   headers: elsewhere they are another router's, which has chosen this pool by them.
    /// - Throws: ``Rejection`` `routeNotFound` when no rule matches; `internalError` when the rule has no backend with
    ///   a weight, as Gateway API demands.
    init(
        _ request: IncomingRequest,
        model: String,
        state: GatewayState,
        routes: RouteTableKey,
        isBehindProxy: Bool,
        random: inout RandomSource
    ) throws(Rejection) {
        let table = state.tables[routes]
        let looksAtHeaders = table?.looksAtHeaders ?? false
        let modelHeaders =
            isBehindProxy && !looksAtHeaders
            ? nil : ModelHeaders(model: model, mapping: state.modelMapping, pools: state.pools)
        let subject = looksAtHeaders ? modelHeaders?.applied(to: request) ?? request : request
        guard let rule = table?.rule(for: subject) else {
            let named = model.isEmpty ? "" : ", model '\(model)'"
            throw Rejection(
                .routeNotFound,
                "No route matches \(request.method) \(request.path) on host '\(request.authority)'\(named)."
            )
        }
        guard let backend = rule.backend(at: random.unit()), let pool = state[pool: backend.pool] else {
            throw Rejection(.internalError, "The route for \(request.path) has no backend that takes requests.")
        }
        self.rule = rule
        self.pool = pool
        requestHeaders = [modelHeaders?.mutation, rule.requestHeaders, backend.requestHeaders].compactMap(\.self)
            .filter { !$0.isEmpty }
    }
}
