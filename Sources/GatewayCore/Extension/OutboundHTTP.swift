/// A request that the gateway itself makes: a GET for a metrics page or a model list, a POST where there is a body.
public struct OutboundRequest: Hashable, Sendable {
    /// Whom to ask.
    public var address: EndpointAddress
    /// The path with query.
    public var path: String
    /// How long the whole exchange may take.
    public var timeout: Duration
    /// The most response-body bytes to take; a longer body is an error.
    public var maxResponseBytes: Int
    /// Further header fields; those of the connection and the body's length are the transport's.
    public var headers: [HeaderMutation.Field]
    /// The body; `nil` for a GET.
    public var body: [UInt8]?

    /// Makes a request.
    public init(
        address: EndpointAddress,
        path: String,
        timeout: Duration,
        maxResponseBytes: Int = 8 << 20,
        headers: [HeaderMutation.Field] = [],
        body: [UInt8]? = nil
    ) {
        self.address = address
        self.path = path
        self.timeout = timeout
        self.maxResponseBytes = maxResponseBytes
        self.headers = headers
        self.body = body
    }
}

/// Why an outbound request gave no response.
public enum OutboundFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// No connection: refused, unreachable, name not found, TLS failed.
    case connect(String)
    /// No whole answer in time.
    case timedOut
    /// The answer broke off, or was not HTTP.
    case badResponse(String)
    /// The body is longer than the request allows.
    case overLimit(String)

    public var description: String {
        switch self {
        case .connect(let why): "cannot connect: \(why)"
        case .timedOut: "no answer in time"
        case .badResponse(let why): "bad response: \(why)"
        case .overLimit(let what): "too long a response: \(what)"
        }
    }
}

/// Lets parts without a transport of their own ask endpoints over HTTP. Given by the application.
public protocol OutboundHTTP: Sendable {
    /// Sends `request`, and calls `completion` once with the response or with why there is none.
    ///
    /// Safe from any thread. The call costs no task and no change of threads when it is made on the transport's own
    /// thread, as work of its timer and completions are.
    ///
    /// - Parameters:
    ///   - request: what to ask.
    ///   - completion: runs on the transport's thread and must not block; it may run before this returns.
    /// - Returns: what ends the exchange with its connection; `completion` is then not called any more.
    func get(
        _ request: OutboundRequest,
        _ completion: @escaping @Sendable (Result<OutboundResponse, OutboundFailure>) -> Void
    ) -> any Cancellable
}

extension OutboundHTTP {
    /// Sends `request` and collects its response.
    ///
    /// - Returns: the status and the body.
    /// - Throws: ``OutboundFailure``; `CancellationError` when the task was cancelled, which ends the exchange.
    public func get(_ request: OutboundRequest) async throws -> OutboundResponse {
        let call = AwaitedCall<OutboundResponse>()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                guard call.begin(continuation) else { return }
                call.attach(get(request) { call.resume(with: $0.mapError { $0 as any Error }) })
            }
        } onCancel: {
            call.cancel()
        }
    }
}

/// The answer to an ``OutboundRequest``.
public struct OutboundResponse: Sendable {
    /// The HTTP status code.
    public var status: Int
    /// The whole body.
    public var body: any BodyBytes

    /// Makes a response.
    public init(status: Int, body: any BodyBytes) {
        self.status = status
        self.body = body
    }
}
