package import GatewayCore

/// Endpoints that are given once and never change, such as those of the command line.
package struct StaticEndpointSource: Hashable, Sendable {
    /// The endpoints, in order.
    package let endpoints: [EndpointDescription]

    /// Makes a source.
    package init(_ endpoints: [EndpointDescription]) {
        self.endpoints = endpoints
    }

    /// Makes the endpoints that `selector` matches the whole set of `sink`.
    package func publish(to sink: some EndpointSink, selector: LabelSelector = LabelSelector()) {
        sink.replaceEndpoints(endpoints.filter { selector.matches($0.labels) })
    }
}
