import GatewayCore

/// Stands for the coming and going of endpoints, of which every plugin that cares is told anyway. A configuration that
/// lists plugins as its extractors means the same as one without.
struct EndpointNotificationSource: DataSource {
    static let descriptor = PluginDescriptor(
        type: "endpoint-notification-source",
        summary: "Tells plugins which endpoints come and go."
    )

    /// Every plugin but those that read pages.
    static func feeds(_ extractor: any Plugin.Type) -> Bool {
        !(extractor is any MetricsExtractor.Type) && !(extractor is any ModelListExtractor.Type)
            && !(extractor is any AttributeExtractor.Type)
    }

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}
}
