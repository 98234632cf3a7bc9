package import GatewayCore

/// How endpoints are asked for their metrics and models.
package struct ScrapeConfiguration: Hashable, Sendable {
    /// The shortest time between two scrapes of one endpoint.
    package static let shortestInterval = Duration.milliseconds(50)

    /// The path of the metrics page. Default `/metrics`.
    package var metricsPath = "/metrics"
    /// The port of the metrics page, 1 ... 65,535; `nil`, the default, is the endpoint's own.
    package var metricsPort: Int?
    /// Whether the metrics page is asked for over TLS; `nil`, the default, is as the endpoint does.
    package var isMetricsSecure: Bool?
    /// The path of the model list. Default `/v1/models`.
    package var modelsPath = "/v1/models"
    /// The time between two scrapes of an endpoint; less than ``shortestInterval`` counts as that. Default 50 ms.
    package var interval = ScrapeConfiguration.shortestInterval
    /// The longest pause between two scrapes of an endpoint where nobody listens. Default 250 ms: an endpoint that
    /// comes back is noticed as fast.
    package var unreachableInterval = Duration.milliseconds(250)
    /// The time between two scrapes of an endpoint that has no metrics page. Default 1 s.
    package var missingPageInterval = Duration.seconds(1)
    /// The time between two looks at a model list that is known. Default 2 s.
    package var modelsInterval = Duration.seconds(2)
    /// How long one answer may take. Default 1 s.
    package var timeout = Duration.seconds(1)
    /// The most bytes of a metrics page. Default 8 MiB.
    package var maxPageBytes = 8 << 20
    /// The most bytes of a model list. Default 1 MiB.
    package var maxModelListBytes = 1 << 20
    /// Which metrics tell what, by engine.
    package var engines = EngineMappings()

    /// The defaults.
    package init() {}

    /// Where the metrics page of an endpoint at `address` is.
    package func metricsAddress(_ address: EndpointAddress) -> EndpointAddress {
        if metricsPort == nil, isMetricsSecure == nil { return address }
        return EndpointAddress(
            host: address.host,
            port: metricsPort ?? address.port,
            isSecure: isMetricsSecure ?? address.isSecure
        )
    }
}
