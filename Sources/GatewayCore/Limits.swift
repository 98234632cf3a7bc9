/// The bounds that the gateway sets on what clients send. Everything that a client can make grow has one.
public struct GatewayLimits: Hashable, Sendable {
    /// The most bytes of a request body; more is 413. Default 32 MiB.
    public var maxBodyBytes = 32 << 20
    /// The most bytes of a request's header section; more is 431. Default 64 KiB.
    public var maxHeaderBytes = 64 << 10
    /// The most header fields of a request; more is 431. Default 128.
    public var maxHeaderFields = 128
    /// The most client connections at once; more wait in the listen backlog. Default 65,536.
    public var maxConnections = 65_536
    /// The most concurrent streams of an HTTP/2 connection. Default 256.
    public var maxConcurrentStreams = 256
    /// How long a client may take to send a whole request header. Default 10 s.
    public var headerTimeout = Duration.seconds(10)
    /// How long a client may pause while it sends a body. Default 60 s.
    public var bodyIdleTimeout = Duration.seconds(60)
    /// How long an idle client connection is kept. Default 10 min.
    public var idleTimeout = Duration.seconds(600)
    /// The deepest nesting of a JSON body. Default 128.
    public var maxJSONDepth = 128

    /// The defaults.
    public init() {}
}
