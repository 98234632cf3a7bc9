package import GatewayCore
import RequestFormats

/// Where an edge sends a request now, and what it changes on the way. One per attempt.
package struct RoutingReply: Sendable {
    /// The endpoints that the serving profile picked, best first, and what their rivals scored.
    package let pick: ProfileResult
    /// Where the request goes: the addresses of the picked endpoints, best first.
    package let destinations: [EndpointAddress]
    /// The attempt's number: 0 for the first, counting up with each retry.
    package let attempt: Int
    /// Changes to the request's header, in the order in which they apply.
    package let requestHeaders: [HeaderMutation]
    /// What becomes of the request's body; `nil` when it stays as it is.
    package let body: BodyReplacement?
    /// Changes to the response's header.
    package let responseHeaders: HeaderMutation
    /// When the client's patience ends, whatever the attempt; `nil` for never.
    package let requestDeadline: MonotonicInstant?
    /// How long this attempt may take to answer whole; `nil` for no bound.
    package let attemptTimeout: Duration?

    /// The endpoint that the request goes to.
    package var endpoint: EndpointSnapshot { pick.endpoints[0] }

    /// The address that the request goes to.
    package var destination: EndpointAddress { destinations[0] }
}

/// A piece of a request's body that other bytes take the place of. All other bytes stay what the client sent.
package struct BodyReplacement: Hashable, Sendable {
    /// The bytes that go, as offsets into the body.
    package let range: Range<Int>
    /// The bytes that come.
    package let bytes: [UInt8]

    /// Replaces the model's name in a JSON body.
    init(_ rewrite: JSONRewrite) {
        range = rewrite.prefix.upperBound..<rewrite.suffix.lowerBound
        bytes = rewrite.replacement
    }
}

/// An answer that the gateway gives itself.
package struct LocalReply: Sendable {
    /// The HTTP status code.
    package let status: Int
    /// Header fields; the edge adds `content-length`.
    package let headers: [HeaderMap.Field]
    /// The body.
    package let body: [UInt8]
    /// Whether the connection closes behind the reply.
    package let closesConnection: Bool

    /// A reply with a JSON body.
    init(status: Int, json: [UInt8]) {
        self.status = status
        headers = [HeaderMap.Field(name: "content-type", value: "application/json")]
        body = json
        closesConnection = false
    }

    /// The reply to a refused request, in the error form of the API that `path` belongs to.
    package init(_ rejection: Rejection, path: String) {
        self.init(rejection, api: RequestParserSet.standard.api(forPath: path))
    }

    /// The reply to a refused request, in the error form of `api`; `nil` for the OpenAI form.
    init(_ rejection: Rejection, api: InferenceAPI?) {
        let mapping = OutcomeMapping(rejection.reason)
        status = mapping.status
        closesConnection = mapping.closesConnection
        var headers = [HeaderMap.Field(name: "content-type", value: "application/json")]
        if let reason = mapping.droppedReason {
            headers.append(HeaderMap.Field(name: HeaderNames.droppedReason, value: reason))
        }
        if let seconds = mapping.retryAfterSeconds.map({ rejection.retryAfterSeconds ?? $0 }) {
            headers.append(HeaderMap.Field(name: "retry-after", value: String(seconds)))
        }
        self.headers = headers
        body = ErrorBody(
            status: mapping.status,
            message: rejection.message,
            code: mapping.errorCode,
            parameter: rejection.parameter
        ).encoded(for: api ?? .passthrough)
    }
}

/// What an edge does next with a request.
package enum NextStep: Sendable {
    /// Send it to an endpoint.
    case send(RoutingReply)
    /// Answer the client without an endpoint.
    case reply(LocalReply)
    /// Nothing: the request waits for its turn. When it has come, ``RequestExchange/resume()`` says what is next.
    case wait
}
