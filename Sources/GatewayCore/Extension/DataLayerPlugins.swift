/// Names a format of requests that is read, where a configuration lists it in `requestHandler.parsers`. The gateway
/// reads its own formats itself, and the plugin's type says which one it is; a format of others is a ``BodyParser``.
public protocol RequestParser: Plugin {}

/// Says where data about endpoints comes from. The data layer does the fetching.
public protocol DataSource: Plugin {
    /// Whether plugins of `extractor`'s type can be listed as extractors of this source.
    static func feeds(_ extractor: any Plugin.Type) -> Bool
}

/// Says what is taken out of the data that a ``DataSource`` gives. The data layer does the reading.
public protocol DataExtractor: Plugin {}

/// Says how the metrics pages of endpoints are fetched.
public protocol MetricsSource: DataSource {
    /// What the configuration says.
    var settings: PageSourceSettings { get }
}

extension MetricsSource {
    /// Only a ``MetricsExtractor`` reads a metrics page.
    public static func feeds(_ extractor: any Plugin.Type) -> Bool { extractor is any MetricsExtractor.Type }
}

/// Says which series of a metrics page become an endpoint's ``EndpointMetrics`` and attributes.
public protocol MetricsExtractor: DataExtractor {
    /// The engines' mappings, with those of the configuration.
    var mappings: EngineMappings { get }
}

/// Says how the model lists of endpoints are fetched.
public protocol ModelListSource: DataSource {
    /// What the configuration says.
    var settings: PageSourceSettings { get }
}

extension ModelListSource {
    /// Only a ``ModelListExtractor`` reads a model list.
    public static func feeds(_ extractor: any Plugin.Type) -> Bool { extractor is any ModelListExtractor.Type }
}

/// Stands for the reading of model lists, which the gateway always does.
public protocol ModelListExtractor: DataExtractor {}

/// Says how a further page of metrics is fetched for each endpoint, from which attributes are read.
public protocol AttributeSource: DataSource {
    /// What the configuration says; has a port.
    var settings: PageSourceSettings { get }
}

extension AttributeSource {
    /// Only an ``AttributeExtractor`` reads attributes.
    public static func feeds(_ extractor: any Plugin.Type) -> Bool { extractor is any AttributeExtractor.Type }
}

/// Says which series of an ``AttributeSource``'s page become which attributes of an endpoint.
public protocol AttributeExtractor: DataExtractor {
    /// One rule per attribute.
    var rules: [AttributeRule] { get }
}

/// Reads something off the endpoints themselves, such as their labels. `dataLayer.sources` may list it as an extractor,
/// which changes nothing: what it reads is always there.
public protocol EndpointExtractor: DataExtractor {}
