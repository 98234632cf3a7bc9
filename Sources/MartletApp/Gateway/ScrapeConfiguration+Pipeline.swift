import DataLayer
import GatewayCore

extension ScrapeConfiguration {
    /// This configuration, which comes from the command line, with what the data sources and extractors of `pipeline`
    /// say. Metrics and model lists are always read; further pages where `dataLayer.sources` lists them.
    func applying(_ pipeline: PluginPipeline) -> ScrapeConfiguration {
        var result = self
        for instance in pipeline.plugins {
            if let source = instance.plugin as? any MetricsSource { result.applyMetrics(source.settings) }
            if let source = instance.plugin as? any ModelListSource { result.applyModels(source.settings) }
            if let extractor = instance.plugin as? any MetricsExtractor { result.engines = extractor.mappings }
        }
        result.attributePages = pipeline.dataSources.compactMap(AttributePage.init)
        return result
    }

    private mutating func applyMetrics(_ settings: PageSourceSettings) {
        if settings.path != PageSourceSettings().path { metricsPath = settings.path }
        if settings.scheme == .https { isMetricsSecure = true }
        metricsPort = settings.port ?? metricsPort
        if let interval = settings.interval { self.interval = max(interval, Self.shortestInterval) }
        idleInterval = settings.idleInterval ?? idleInterval
    }

    private mutating func applyModels(_ settings: PageSourceSettings) {
        modelsPath = settings.path
        if settings.scheme == .https { isModelsSecure = true }
        modelsInterval = settings.interval ?? modelsInterval
    }
}

extension AttributePage {
    /// The page of a source from which attributes are read; `nil` for other sources, and when nothing is read from it.
    fileprivate init?(_ bound: PluginPipeline.BoundSource) {
        guard let source = bound.source as? any AttributeSource else { return nil }
        let rules = bound.extractors.compactMap { $0 as? any AttributeExtractor }.flatMap(\.rules)
        if rules.isEmpty { return nil }
        self.init(source: bound.type, settings: source.settings, rules: rules)
    }
}
