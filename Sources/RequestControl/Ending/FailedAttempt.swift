package import GatewayCore

/// An attempt that failed, and after which the request goes to an endpoint again. The last attempt of a request that is
/// given up is in its ``RequestSummary``.
package struct FailedAttempt: Hashable, Sendable {
    /// The request's identifier.
    package let requestID: String
    /// The pool.
    package let pool: PoolID?
    /// The model that serves the request.
    package let targetModel: String
    /// The endpoint that failed.
    package let endpoint: EndpointID?
    /// Its address, as `host:port`.
    package let destination: String
    /// The attempt's number, counted from 1.
    package let number: Int
    /// The kind of failure, as the metrics call it: `connect-failure`, `reset`, `timeout` or a status.
    package let reason: String
    /// What went wrong, for people.
    package let detail: String

    /// The present attempt of `exchange`, which failed.
    init(_ failure: AttemptFailure, of exchange: RequestExchange) {
        requestID = exchange.identity?.id ?? ""
        pool = exchange.route?.pool.id
        targetModel = exchange.context?.request.targetModel ?? ""
        endpoint = exchange.decision?.endpoint.id
        destination = exchange.destination
        number = exchange.attemptCount
        reason = failure.label
        detail = failure.detail
    }
}

extension RequestExchange {
    /// Tells the observers of an attempt that failed, now that there is another one.
    func tell(_ attempt: FailedAttempt) {
        for observer in controller.observers { observer.attemptFailed(attempt) }
    }
}
