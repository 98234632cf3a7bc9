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
    /// Whether the model list is asked for over TLS; `nil`, the default, is as the endpoint does.
    package var isModelsSecure: Bool?
    /// The time between two scrapes of an endpoint; less than ``shortestInterval`` counts as that. Default 50 ms.
    package var interval = ScrapeConfiguration.shortestInterval
    /// The longest time between two scrapes of an endpoint whose last page shows no work and that has no request of
    /// this gateway; `nil`, the default, is ``interval`` for them too.
    package var idleInterval: Duration?
    /// The longest pause between two scrapes of an endpoint where nobody listens. Default 250 ms: an endpoint that
    /// comes back is noticed as fast.
    package var unreachableInterval = Duration.milliseconds(250)
    /// The time between two scrapes of an endpoint that has no metrics page. Default 1 s.
    package var missingPageInterval = Duration.seconds(1)
    /// The time between two looks at a model list that is known; `nil`, the default, is ten times ``interval`` and 2 s
    /// at least.
    package var modelsInterval: Duration?
    /// How long one answer may take. Default 1 s.
    package var timeout = Duration.seconds(1)
    /// The most bytes of a metrics page. Default 8 MiB.
    package var maxPageBytes = 8 << 20
    /// The most bytes of a model list. Default 1 MiB.
    package var maxModelListBytes = 1 << 20
    /// Which metrics tell what, by engine.
    package var engines = EngineMappings()
    /// What else is asked for.
    package var attributePages: [AttributePage] = []

    /// The defaults.
    package init() {}

    /// Where the metrics page of an endpoint at `address` is.
    package func metricsAddress(_ address: EndpointAddress) -> EndpointAddress {
        Self.place(address, port: metricsPort, isSecure: isMetricsSecure)
    }

    /// Where the model list of an endpoint at `address` is.
    package func modelsAddress(_ address: EndpointAddress) -> EndpointAddress {
        Self.place(address, port: nil, isSecure: isModelsSecure)
    }

    /// ``modelsInterval``, or what stands for it.
    package var presentModelsInterval: Duration { modelsInterval ?? max(.seconds(2), interval * 10) }

    /// The keys of all attributes that are read.
    package var attributeKeys: Set<String> {
        Set(engines.mappings.flatMap { $0.customMetrics.map(\.key) } + attributePages.flatMap { $0.rules.map(\.key) })
    }

    private static func place(_ address: EndpointAddress, port: Int?, isSecure: Bool?) -> EndpointAddress {
        if port == nil, isSecure == nil { return address }
        return EndpointAddress(
            host: address.host,
            port: port ?? address.port,
            isSecure: isSecure ?? address.isSecure
        )
    }
}

/// A further page of each endpoint, from which attributes are read.
package struct AttributePage: Hashable, Sendable {
    /// The type of the data source; failed polls are counted under it.
    package let source: String
    /// How the page is fetched.
    package let settings: PageSourceSettings
    /// What is read from it.
    package let rules: [AttributeRule]

    /// Makes a page; see the properties.
    package init(source: String, settings: PageSourceSettings, rules: [AttributeRule]) {
        self.source = source
        self.settings = settings
        self.rules = rules
    }

    /// Where the page of an endpoint at `address` is.
    func address(of endpoint: EndpointAddress) -> EndpointAddress {
        EndpointAddress(
            host: endpoint.host,
            port: settings.port ?? endpoint.port,
            isSecure: settings.scheme == .https
        )
    }
}
