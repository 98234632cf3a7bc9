/// How a request that was given an endpoint ended there.
public enum RequestOutcome: String, Hashable, Sendable, CaseIterable {
    /// The whole response was relayed.
    case completed
    /// The client went away first.
    case clientDisconnected
    /// The endpoint could not be connected to.
    case connectFailed
    /// The endpoint closed or reset the connection before the response's first byte.
    case resetBeforeResponse
    /// A kept-alive connection turned out to be closed when the request was sent on it: the server had ended it while
    /// it was idle, which says nothing of the server.
    case staleConnection
    /// The endpoint broke off in the middle of its response.
    case resetMidResponse
    /// The endpoint answered 502, 503 or 504.
    case gatewayError
    /// The proxy got the response from another endpoint: it could not reach this one, or does not know it.
    case servedElsewhere
    /// The endpoint did not answer in the time that the route allows.
    case timedOut
    /// The gateway ended it at the deadline of its drain.
    case drained
    /// The gateway ended it for a more important request.
    case evicted
    /// The lease was dropped without being closed: a fault of the gateway.
    case abandoned

    /// Whether the outcome speaks against the endpoint's health.
    public var isEndpointFailure: Bool {
        switch self {
        case .connectFailed, .resetBeforeResponse, .resetMidResponse, .gatewayError, .timedOut: true
        case .completed, .clientDisconnected, .staleConnection, .servedElsewhere, .drained, .evicted, .abandoned: false
        }
    }
}

/// The token usage that a response reported.
public struct TokenUsage: Hashable, Sendable {
    /// That of a request that no endpoint got.
    public static let none = TokenUsage(promptTokens: 0, completionTokens: 0, cachedTokens: 0)

    /// Prompt tokens.
    public var promptTokens: Int
    /// Generated tokens.
    public var completionTokens: Int
    /// Prompt tokens that came from the engine's prefix cache.
    public var cachedTokens: Int

    /// Makes a usage record.
    public init(promptTokens: Int, completionTokens: Int, cachedTokens: Int) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.cachedTokens = cachedTokens
    }
}
