import DataLayer
import GatewayCore

/// The endpoints that may serve a request: available, not tried before, and, as far as known, with the model.
enum CandidateSelection {
    /// The candidates of a pool for a model; empty model for any.
    ///
    /// - Parameters:
    ///   - view: the pool's endpoints.
    ///   - model: the model that serves.
    ///   - askedAs: the model that the client asked for.
    ///   - tried: endpoints that are out of the question.
    ///   - subset: the endpoints that the proxy allows; `nil` for all.
    ///   - pool: the pool's name.
    /// - Throws: ``Rejection``: `noEndpoints`, also when the subset has none of them; `endpointsDown`; `modelNotFound`
    ///   when every endpoint has told its models and none has this one.
    static func candidates(
        in view: EndpointStoreView,
        model: String,
        askedAs: String,
        excluding tried: [EndpointID],
        subset: EndpointSubset?,
        pool: PoolID
    ) throws(Rejection) -> Candidates {
        if view.endpoints.isEmpty {
            throw Rejection(.noEndpoints, "The pool '\(pool.name)' has no endpoints.")
        }
        if !model.isEmpty, view.models.allEndpointsHaveTold, !view.models.serves(model) {
            throw unknown(model, askedAs: askedAs, view.models.union().map(\.id), pool: pool)
        }
        var endpoints = view.available
        if let subset { endpoints = try allowed(by: subset, view, pool: pool) }
        if endpoints.isEmpty { throw down(view, pool: pool) }
        endpoints = endpoints.serving(model)
        if !tried.isEmpty {
            endpoints.removeAll { tried.contains($0.id) }
            if endpoints.isEmpty { throw down(view, pool: pool) }
        }
        return Candidates(endpoints)
    }

    /// The available endpoints that the proxy allows. The hint binds: when it leaves nobody, nobody serves.
    private static func allowed(
        by subset: EndpointSubset,
        _ view: EndpointStoreView,
        pool: PoolID
    ) throws(Rejection) -> [EndpointSnapshot] {
        if !view.endpoints.contains(where: { subset.contains($0.address) }) {
            throw Rejection(
                .noEndpoints,
                "None of the \(view.endpoints.count) endpoints of the pool '\(pool.name)' is in the subset that the "
                    + "proxy allows."
            )
        }
        return view.available.filter { subset.contains($0.address) }
    }

    /// Names a few of the models: the endpoints may list thousands.
    private static func unknown(_ model: String, askedAs: String, _ known: [String], pool: PoolID) -> Rejection {
        let shown = known.prefix(10).map { "'\($0)'" }.joined(separator: ", ")
        let more = known.count > 10 ? " and \(known.count - 10) more" : ""
        let subject = model == askedAs ? "'\(model)'" : "'\(askedAs)' is rewritten to '\(model)', which"
        return Rejection(
            .modelNotFound,
            "The model \(subject) does not exist. The pool '\(pool.name)' serves \(shown)\(more).",
            parameter: "model"
        )
    }

    private static func down(_ view: EndpointStoreView, pool: PoolID) -> Rejection {
        let drained = view.endpoints.lazy.map(\.id).filter(view.cordoned.contains).map { "\($0): it drains" }
        let reasons = view.outages.lazy.filter { !view.cordoned.contains($0.id) }.map(\.description) + drained
        let shown = reasons.prefix(3).joined(separator: "; ")
        let more = reasons.count > 3 ? "; and \(reasons.count - 3) more" : ""
        let verb = view.cordoned.isEmpty ? "can be reached" : "takes requests"
        return Rejection(
            .endpointsDown,
            "None of the \(view.endpoints.count) endpoints of the pool '\(pool.name)' \(verb): \(shown)\(more)."
        )
    }
}

extension [EndpointSnapshot] {
    /// Those that serve `model`, as far as they have told; all when it is empty, and when none does.
    func serving(_ model: String) -> [EndpointSnapshot] {
        if model.isEmpty || allSatisfy({ $0.mayServe(model) }) { return self }
        let serving = filter { $0.mayServe(model) }
        return serving.isEmpty ? self : serving
    }
}

extension EndpointSnapshot {
    /// Whether the endpoint serves `model`, as far as it has told: by its list, or as an adapter that its metrics name.
    fileprivate func mayServe(_ model: String) -> Bool {
        guard let models else { return true }
        return models.contains(model) || metrics.activeModels.contains(model) || metrics.waitingModels.contains(model)
    }
}
