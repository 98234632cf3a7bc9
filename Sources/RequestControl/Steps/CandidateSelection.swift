import DataLayer
import GatewayCore

/// The endpoints that may serve a request: available, not tried before, and, as far as known, with the model.
enum CandidateSelection {
    /// The candidates of a pool for a model; empty model for any.
    ///
    /// - Throws: ``Rejection``: `noEndpoints`, `endpointsDown`, or `modelNotFound` when every endpoint has told its models
    ///   and none has this one.
    static func candidates(
        in view: EndpointStoreView,
        model: String,
        excluding tried: [EndpointID],
        pool: PoolID
    ) throws(Rejection) -> Candidates {
        if view.endpoints.isEmpty {
            throw Rejection(.noEndpoints, "The pool '\(pool.name)' has no endpoints.")
        }
        if !model.isEmpty, view.models.allEndpointsHaveTold, !view.models.serves(model) {
            let known = view.models.union().map { "'\($0.id)'" }.joined(separator: ", ")
            throw Rejection(
                .modelNotFound,
                "The model '\(model)' does not exist. The pool '\(pool.name)' serves \(known).",
                parameter: "model"
            )
        }
        var endpoints = view.available
        if endpoints.isEmpty { throw down(view, pool: pool) }
        if !model.isEmpty, !endpoints.allSatisfy({ $0.mayServe(model) }) {
            let serving = endpoints.filter { $0.mayServe(model) }
            if !serving.isEmpty { endpoints = serving }
        }
        if !tried.isEmpty {
            endpoints.removeAll { tried.contains($0.id) }
            if endpoints.isEmpty { throw down(view, pool: pool) }
        }
        return Candidates(endpoints)
    }

    private static func down(_ view: EndpointStoreView, pool: PoolID) -> Rejection {
        let shown = view.outages.prefix(3).map(\.description).joined(separator: "; ")
        let more = view.outages.count > 3 ? "; and \(view.outages.count - 3) more" : ""
        return Rejection(
            .endpointsDown,
            "None of the \(view.endpoints.count) endpoints of the pool '\(pool.name)' can be reached: \(shown)\(more)."
        )
    }
}

extension EndpointSnapshot {
    /// Whether the endpoint serves `model`, as far as it has told.
    fileprivate func mayServe(_ model: String) -> Bool {
        models?.contains(model) ?? true
    }
}
