import GatewayCore
package import RequestControl
package import Telemetry

/// The settings of an ``ExternalProcessorService``.
package struct ExternalProcessorConfiguration: Sendable {
    /// Whether the chosen endpoints' scores are sent along as metadata. Default false.
    package var emitsEndpointScores = false
    /// Whether the proxy's list of allowed endpoints is ignored. Default false.
    package var ignoresSubsetHints = false
    /// Counts the streams; `nil` counts none.
    package var streamMetrics: StreamMetrics?

    /// The defaults.
    package init() {}
}

/// envoy.service.ext_proc.v3.ExternalProcessor: the endpoint picker as Envoy calls it, one call for each request.
package struct ExternalProcessorService: GRPCService {
    /// The path of its only method.
    static let path = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"

    private let controller: RequestController
    private let routes: RouteTableKey
    private let configuration: ExternalProcessorConfiguration

    /// Makes a service.
    ///
    /// - Parameters:
    ///   - controller: decides about the requests.
    ///   - routes: the route table of the requests.
    ///   - configuration: the settings.
    package init(
        controller: RequestController,
        routes: RouteTableKey,
        configuration: ExternalProcessorConfiguration = ExternalProcessorConfiguration()
    ) {
        self.controller = controller
        self.routes = routes
        self.configuration = configuration
    }

    /// Takes one exchange.
    package func makeCall(path: String, stream: GRPCStream) -> (any GRPCCall)? {
        guard path == Self.path else { return nil }
        if let metrics = configuration.streamMetrics { stream.measure(metrics) }
        let picking = EndpointPicking(
            controller: controller,
            routes: routes,
            emitsEndpointScores: configuration.emitsEndpointScores,
            traceParent: stream.traceParent
        )
        return ExchangeCall(
            stream: stream,
            processor: picking,
            ignoresSubsetHints: configuration.ignoresSubsetHints
        )
    }
}
