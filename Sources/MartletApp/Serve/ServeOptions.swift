import BuiltinPlugins
package import GatewayCore
package import RequestControl

/// What `martlet serve` was told on its command line.
package struct ServeOptions: Sendable {
    /// Where clients connect, as `host:port`; `nil` when the flag was not given.
    package var listen: String?
    /// Where metrics, health and state are served, as `host:port`.
    package var admin = "127.0.0.1:9090"
    /// The file with the token of those who may act by the admin address; `nil` for the environment's, if there is one.
    package var adminTokenPath: String?
    /// Whether the admin address has the dashboard and its live feed.
    package var hasDashboard = true
    /// A file or folder of resources.
    package var configurationPath: String?
    /// Endpoints as `[NAME=]URL`.
    package var endpoints: [String] = []
    /// How many simulated model servers to start and use.
    package var simulated = 0
    /// Whether responses tell who served them; `nil` for the default: only with simulated servers.
    package var servedHeader: Bool?
    /// The bounds on what clients send.
    package var limits = GatewayLimits()
    /// When failed requests are sent to another endpoint.
    package var retry = RetryPolicy()
    /// How long running requests may take after SIGTERM.
    package var drainTimeout = Duration.seconds(30)
    /// Whether the metrics page has the deprecated families too.
    package var writesDeprecatedMetrics = false
    /// How often endpoints are asked for their metrics; at least 50 ms.
    package var scrapeInterval = Duration.milliseconds(50)
    /// Event loops; `nil` for one per processor.
    package var threads: Int?
    /// What is logged, how and where.
    package var logs = LogOptions()
    /// The seed of random choices; `nil` for one that differs with each start.
    package var seed: UInt64?
    /// Whether traces are made; where they go, the environment says.
    package var tracing = false
    /// How many of the last decisions are kept for `martlet explain`; 0 for none.
    package var keptDecisions = 100
    /// The plugin types that configurations may name.
    package var plugins = BuiltinCatalogue.registry()
    /// Whether plugins that may still change are allowed.
    package var allowsExperimentalPlugins = false
    /// Whether the certificates of endpoints that speak TLS are checked.
    package var verifiesEndpointCertificates = true

    /// The defaults.
    package init() {}

    /// The address that is listened on when nothing else says where.
    static let defaultListen = "127.0.0.1:8080"
}
