/// Why a request to an API server did not do what it was to do.
package enum APIError: Error, Hashable, Sendable, CustomStringConvertible {
    /// No response came, or it broke off.
    case unreachable(String)
    /// There is nothing to show who asks, or the server does not believe it (401).
    case unauthenticated(String)
    /// The server does not let the client do this (403).
    case forbidden(String)
    /// The object, or its whole resource type, is not there (404).
    case notFound(String)
    /// The object is there already, or has changed since it was read (409).
    case conflict(String)
    /// The resource version is too old to go on from (410), or one that the server has not reached (its store was
    /// restored, for instance): there is nothing to go on from.
    case expired(String)
    /// The server has too much to do (429, 503), and says when to come back.
    case busy(String, retryAfter: Duration?)
    /// Any other status.
    case refused(status: Int, String)
    /// The answer is not what the API says it is.
    case malformed(String)

    /// A sentence of what happened.
    package var description: String {
        switch self {
        case .unreachable(let text), .unauthenticated(let text), .forbidden(let text), .notFound(let text),
            .conflict(let text), .expired(let text), .malformed(let text):
            text
        case .busy(let text, _), .refused(_, let text): text
        }
    }
}
