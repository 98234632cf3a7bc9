package import GatewayCore

/// How a refusal looks to a client: the one table of status, reason header and error code.
///
/// 400s say "your request", 429 "busy but alive", 503 "nobody to serve", 504 "no answer in time".
package struct OutcomeMapping: Hashable, Sendable {
    /// The HTTP status code.
    package let status: Int
    /// The value of `x-llm-d-request-dropped-reason`; `nil` when the header is not sent.
    package let droppedReason: String?
    /// The `code` of an OpenAI-style error body; `nil` for JSON null.
    package let errorCode: String?
    /// Seconds for `Retry-After`; `nil` when the header is not sent.
    package let retryAfterSeconds: Int?
    /// Whether the connection closes behind the reply, because the rest of the request cannot be read.
    package let closesConnection: Bool

    private init(
        _ status: Int,
        code: String? = nil,
        dropped: String? = nil,
        retryAfter: Int? = nil,
        closes: Bool = false
    ) {
        self.status = status
        errorCode = code
        droppedReason = dropped
        retryAfterSeconds = retryAfter
        closesConnection = closes
    }

    /// The row of `reason`.
    package init(_ reason: Rejection.Reason) {
        self =
            switch reason {
            case .invalidRequest: .init(400)
            case .modelNotFound: .init(404, code: "model_not_found")
            case .routeNotFound: .init(404, code: "route_not_found")
            case .methodNotAllowed: .init(405, code: "method_not_allowed")
            case .requestTimeout: .init(408, code: "request_timeout", closes: true)
            case .preconditionFailed: .init(412, code: "precondition_failed")
            case .bodyTooLarge: .init(413, code: "request_too_large", closes: true)
            case .saturated: .init(429, code: "saturated", dropped: "rejected-saturated", retryAfter: 1)
            case .shed: .init(429, code: "saturated", retryAfter: 1)
            case .queueFull: .init(429, code: "queue_full", dropped: "rejected-saturated", retryAfter: 1)
            case .queueTimeout: .init(429, code: "queue_timeout", dropped: "rejected-ttl-expired", retryAfter: 1)
            case .evicted: .init(429, code: "evicted", dropped: "evicted", retryAfter: 1)
            case .headersTooLarge: .init(431, code: "headers_too_large", closes: true)
            case .internalError: .init(500, code: "internal_error")
            case .noEndpoints: .init(503, code: "no_endpoints", dropped: "rejected-no-endpoints", retryAfter: 1)
            case .endpointsDown: .init(503, code: "endpoints_down", dropped: "rejected-endpoints-down", retryAfter: 1)
            case .clientGone: .init(503, code: "client_gone", dropped: "rejected-context-cancelled")
            case .upstreamFailed: .init(503, code: "upstream_failed", dropped: "upstream-failed", retryAfter: 1)
            case .shuttingDown: .init(503, code: "shutting_down", dropped: "rejected-shutting-down", closes: true)
            case .upstreamTimeout: .init(504, code: "upstream_timeout", dropped: "upstream-timeout")
            }
    }
}
