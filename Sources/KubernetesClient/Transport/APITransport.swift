package import NIOCore

/// Carries requests to an API server: where it is, how it is trusted and who asks is the transport's business.
///
/// ``HTTPTransport`` is the real one; tests have one in memory.
package protocol APITransport: Sendable {
    /// Sends `request` and returns when the head of the response has come.
    ///
    /// - Throws: ``APIError/unreachable(_:)`` when there is no response, ``APIError/unauthenticated(_:)`` when there
    ///   are no credentials to ask with; `CancellationError` is not thrown, a cancelled task gets `unreachable`.
    func send(_ request: APIRequest) async throws(APIError) -> APIResponse
}

/// A request to an API server.
package struct APIRequest: Sendable {
    /// The methods that the API knows.
    package enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
        case patch = "PATCH"
        case delete = "DELETE"
    }

    /// What is done.
    package var method: Method
    /// The path, beginning with `/`; its parts need no escaping.
    package var path: String
    /// The parameters behind the `?`, not escaped.
    package var query: [(name: String, value: String)] = []
    /// The media type of the body; `nil` without one.
    package var contentType: String?
    /// The body; empty without one.
    package var body: [UInt8] = []
    /// How long the response's head may take.
    package var timeout = Duration.seconds(30)
    /// The longest time between two pieces of the body before the response counts as broken.
    package var idleTimeout = Duration.seconds(30)

    /// Makes a request.
    package init(_ method: Method, _ path: String) {
        self.method = method
        self.path = path
    }
}

/// What an API server answers.
package struct APIResponse: Sendable {
    /// The HTTP status.
    package var status: Int
    /// How long to wait before the next try, by `Retry-After`; `nil` when it does not say.
    package var retryAfter: Duration?
    /// The body as it comes. It ends by throwing when the connection breaks or is silent for too long.
    package var body: any AsyncSequence<ByteBuffer, any Error> & Sendable

    /// Makes a response.
    package init(
        status: Int,
        retryAfter: Duration? = nil,
        body: any AsyncSequence<ByteBuffer, any Error> & Sendable
    ) {
        self.status = status
        self.retryAfter = retryAfter
        self.body = body
    }
}
