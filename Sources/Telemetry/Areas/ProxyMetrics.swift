/// The instruments of the reverse proxy.
package struct ProxyMetrics: Sendable {
    /// Which of the two connections of a proxied request.
    package enum Side: String, Sendable, Hashable {
        /// From a client.
        case downstream
        /// To an endpoint.
        case upstream
    }

    /// The connections of one side.
    package struct Connections: Sendable {
        /// Open now.
        package let open: Gauge
        /// Opened so far.
        package let total: Counter

        /// Counts a connection that opened.
        package func opened() {
            open.increment()
            total.increment()
        }

        /// Counts a connection that closed; once for each ``opened()``.
        package func closed() {
            open.decrement()
        }
    }

    /// Connections from clients.
    package let downstream: Connections
    /// Connections to endpoints.
    package let upstream: Connections
    /// Attempts made again, by reason.
    package let retries: CounterFamily
    /// Attempts that failed on the way to an endpoint, by reason.
    package let upstreamErrors: CounterFamily
    /// Clients that went away before their answer was complete.
    package let clientDisconnects: Counter

    /// Registers the proxy families.
    package init(registry: MetricRegistry) throws(MetricRegistrationError) {
        typealias Names = MetricCatalogue.Proxy
        let open = try registry.gauges(Names.connectionsOpen)
        let total = try registry.counters(Names.connections)
        func connections(_ side: Side) -> Connections {
            Connections(open: open.child(side.rawValue), total: total.child(side.rawValue))
        }
        downstream = connections(.downstream)
        upstream = connections(.upstream)
        retries = try registry.counters(Names.retries)
        upstreamErrors = try registry.counters(Names.upstreamErrors)
        clientDisconnects = try registry.counter(Names.clientDisconnects)
    }
}
