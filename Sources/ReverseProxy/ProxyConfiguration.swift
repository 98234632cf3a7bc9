package import GatewayCore
package import NIOSSL
package import RequestControl

/// The settings of the reverse proxy.
package struct ProxyConfiguration: Sendable {
    /// The bounds on what clients send.
    package var limits: GatewayLimits
    /// How long connecting to an endpoint may take.
    package var connectTimeout: Duration
    /// The most idle connections that one event loop keeps to one endpoint.
    package var maxIdleConnectionsPerEndpoint: Int
    /// How long an idle connection to an endpoint is kept.
    package var upstreamIdleTimeout: Duration
    /// How long a connection whose request was refused early is still read, so that the client can see the reply.
    package var lingerTimeout: Duration
    /// The TLS context for endpoints that speak TLS; `nil` when there are none.
    package var upstreamTLS: NIOSSLContext?

    /// Makes a configuration with documented defaults.
    package init(
        limits: GatewayLimits = GatewayLimits(),
        connectTimeout: Duration = .seconds(2),
        maxIdleConnectionsPerEndpoint: Int = 256,
        upstreamIdleTimeout: Duration = .seconds(50),
        lingerTimeout: Duration = .seconds(5),
        upstreamTLS: NIOSSLContext? = nil
    ) {
        self.limits = limits
        self.connectTimeout = connectTimeout
        self.maxIdleConnectionsPerEndpoint = maxIdleConnectionsPerEndpoint
        self.upstreamIdleTimeout = upstreamIdleTimeout
        self.lingerTimeout = lingerTimeout
        self.upstreamTLS = upstreamTLS
    }
}

/// One address that the proxy listens on.
package struct ProxyListener: Hashable, Sendable {
    /// The address: IPv4, IPv6 or a host name of this machine.
    package var host: String
    /// The port; 0 lets the system choose.
    package var port: Int
    /// Names the listener's route table; the port of a Gateway listener before the system chose.
    package var routes: RouteTableKey

    /// Makes a listener.
    package init(host: String, port: Int, routes: RouteTableKey) {
        self.host = host
        self.port = port
        self.routes = routes
    }
}
