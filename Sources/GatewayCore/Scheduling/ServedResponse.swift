/// A response of which the head has come, as plugins see it.
public struct ServedResponse: Sendable {
    /// The request.
    public let request: InferenceRequest
    /// The decision, with the endpoint of the last attempt first: where a proxy says that another one answered, that
    /// one.
    public let decision: SchedulingDecision
    /// What plugins wrote about the request.
    public let scratch: RequestScratch
    /// The endpoint that a proxy says has answered, as `host:port`; `nil` when nobody says.
    public let served: String?

    /// Makes a response.
    public init(
        request: InferenceRequest,
        decision: SchedulingDecision,
        scratch: RequestScratch = RequestScratch(slotCount: 0),
        served: String? = nil
    ) {
        self.request = request
        self.decision = decision
        self.scratch = scratch
        self.served = served
    }
}

/// A number that a proxy in front gets as dynamic metadata.
public struct ReportedNumber: Hashable, Sendable {
    /// The metadata's namespace, such as `envoy.lb`.
    public let namespace: String
    /// The key within the namespace.
    public let name: String
    /// The number.
    public let value: Int

    /// Makes a number.
    public init(namespace: String, name: String, value: Int) {
        self.namespace = namespace
        self.name = name
        self.value = value
    }
}

/// What a request adds to the load of an endpoint while it is open there. The request itself always counts as one.
public struct LoadEstimate: Hashable, Sendable {
    /// Tokens that the endpoint has to work on, 0 or more.
    public var tokens: Int
    /// Whether the tokens count until the request's end; else only until the response's first byte, when the prompt is
    /// computed.
    public var lastsToEnd: Bool

    /// Makes an estimate; negative tokens count as 0.
    public init(tokens: Int, lastsToEnd: Bool = false) {
        self.tokens = max(0, tokens)
        self.lastsToEnd = lastsToEnd
    }
}
