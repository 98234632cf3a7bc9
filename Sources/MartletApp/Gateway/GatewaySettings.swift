import BuiltinPlugins
import DataLayer
import GatewayCore
import OpenTelemetryExport
import RequestControl

/// What a front door tells the parts that all front doors share.
struct GatewaySettings: Sendable {
    /// The bounds on what clients send.
    var limits = GatewayLimits()
    /// When failed requests are sent to another endpoint.
    var retry = RetryPolicy()
    /// Whether responses tell who served them.
    var addsServedHeader = false
    /// Whether a proxy in front asks the gateway and can be told something of responses.
    var isBehindProxy = false
    /// The seed of random choices; `nil` for one that differs with each start.
    var seed: UInt64?
    /// How endpoints are asked for their metrics where the pool's metrics source says nothing.
    var scrape = ScrapeConfiguration()
    /// How old metrics may be for their endpoint to count as ready in the gauges of its pool.
    var metricsStaleness = Duration.seconds(2)
    /// Whether the metrics page has the deprecated families too.
    var writesDeprecatedMetrics = false
    /// The plugin types that configurations may name.
    var plugins = BuiltinCatalogue.registry()
    /// Whether plugins that may still change are allowed.
    var allowsExperimentalPlugins = false
    /// Whether the certificates of endpoints that speak TLS are checked.
    var verifiesEndpointCertificates = true
    /// How many of the last decisions are kept for explanations; 0 for none.
    var keptDecisions = 0
    /// Told of every request that ended.
    var observers: [any RequestObserver] = []
    /// Told of endpoints whose health changed; `nil` for nobody.
    var onHealthChange: EndpointHealthListener?
    /// Where the dashboard stands; `nil` for no dashboard.
    var dashboard: GatewayLiveSource.Place?
    /// The file or folder that weights are changed in; `nil` where there is none.
    var configurationPath: String?
    /// The secret of those who may act by the admin address; `nil` when nobody may.
    var adminToken: AdminToken?
    /// What the environment says of traces; `nil` when none are made.
    var tracing: TracingEnvironment?
}
