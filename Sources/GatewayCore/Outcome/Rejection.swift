/// Why the gateway itself answered a request instead of a model server.
///
/// A rejection knows nothing of HTTP; the one table that maps it to a status, a reason header and an error body is
/// RequestControl's `OutcomeMapping`.
public struct Rejection: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kinds of refusal. Names are those of the reason header where one exists.
    public enum Reason: String, Hashable, Sendable, CaseIterable {
        /// The request is not what its API requires.
        case invalidRequest
        /// No endpoint of the pool serves the model, and every endpoint has told its models.
        case modelNotFound
        /// No route matches the request.
        case routeNotFound
        /// The method is not one that this path answers.
        case methodNotAllowed
        /// The body is over the limit.
        case bodyTooLarge
        /// The header section is over the limit.
        case headersTooLarge
        /// The client did not finish sending its request in time.
        case requestTimeout
        /// The client asked to be served only from a KV cache, and the endpoint that would serve it has nothing of the
        /// prompt there.
        case preconditionFailed
        /// All candidates were removed by filters: alive, but busy.
        case saturated
        /// The priority is negative and the pool is saturated: refused before anything was computed for the request.
        case shed
        /// The queue has no room for it.
        case queueFull
        /// Its time to wait for its turn was over.
        case queueTimeout
        /// It was ended while it ran, for a more important one.
        case evicted
        /// The client went away while it waited. Nobody reads the answer.
        case clientGone
        /// The pool has no endpoint.
        case noEndpoints
        /// The pool has endpoints, and none of them can be reached.
        case endpointsDown
        /// The endpoint could not be reached or broke off before its first response byte, and no retry was left.
        case upstreamFailed
        /// The endpoint did not answer in the time that the route allows.
        case upstreamTimeout
        /// The gateway is shutting down.
        case shuttingDown
        /// A fault of the gateway.
        case internalError
    }

    /// The kind of refusal.
    public let reason: Reason
    /// One clear sentence for the client, with the offending value.
    public let message: String
    /// The request's field at fault, such as `model`; `nil` when there is none.
    public let parameter: String?
    /// In how many seconds another try may find room, at least 1; `nil` when nobody knows.
    public let retryAfterSeconds: Int?

    /// Makes a rejection.
    public init(_ reason: Reason, _ message: String, parameter: String? = nil, retryAfterSeconds: Int? = nil) {
        self.reason = reason
        self.message = message
        self.parameter = parameter
        self.retryAfterSeconds = retryAfterSeconds
    }

    public var description: String { "\(reason.rawValue): \(message)" }
}
