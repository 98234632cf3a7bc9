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
