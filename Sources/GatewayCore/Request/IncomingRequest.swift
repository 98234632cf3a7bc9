/// A request as an edge received it, before anyone has looked into its body.
public struct IncomingRequest: Sendable {
    /// The method in capitals, such as `POST`.
    public var method: String
    /// The path with its query, as sent.
    public var target: String
    /// The authority: the `Host` header of HTTP/1.1 or `:authority` of HTTP/2, with port if sent; empty when absent.
    public var authority: String
    /// The header fields.
    public var headers: HeaderMap
    /// The whole body; empty when there is none.
    public var body: any BodyBytes
    /// When the request's first byte was seen.
    public var receivedAt: MonotonicInstant
    /// Whether the request may have a body that nobody showed to the gateway: then its model is unknown, and ``body``
    /// is empty.
    public var hasUnseenBody: Bool
    /// The only endpoints that may serve it, where a proxy in front says so; `nil` for all of the pool.
    package var endpointSubset: EndpointSubset?

    /// Makes a request.
    public init(
        method: String,
        target: String,
        authority: String,
        headers: HeaderMap,
        body: any BodyBytes,
        receivedAt: MonotonicInstant,
        hasUnseenBody: Bool = false
    ) {
        self.method = method
        self.target = target
        self.authority = authority
        self.headers = headers
        self.body = body
        self.receivedAt = receivedAt
        self.hasUnseenBody = hasUnseenBody
    }

    /// The path without query.
    public var path: Substring {
        // By bytes: the characters of a text are costly to tell apart.
        target[..<(target.utf8.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex)]
    }
}
