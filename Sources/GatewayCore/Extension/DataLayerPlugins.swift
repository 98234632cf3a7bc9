/// Names a format of requests that is read, where a configuration lists it in `requestHandler.parsers`. The formats are
/// the gateway's own; the plugin's type says which one it is.
public protocol RequestParser: Plugin {}

/// Says how the metrics pages of endpoints are fetched. The data layer does the fetching.
public protocol MetricsSource: Plugin {
    /// What the configuration says.
    var settings: MetricsSourceSettings { get }
}

/// Says which series of a metrics page become an endpoint's ``EndpointMetrics``. The data layer does the reading.
public protocol MetricsExtractor: Plugin {
    /// The engines' mappings, with those of the configuration.
    var mappings: EngineMappings { get }
}

/// Reads something off the endpoints themselves, such as their labels. `dataLayer.sources` may list it as an extractor,
/// which changes nothing: what it reads is always there.
public protocol EndpointExtractor: Plugin {}
