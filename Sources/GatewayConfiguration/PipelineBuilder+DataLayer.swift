import GatewayCore

extension PipelineAssembly {
    /// The data sources of the configuration with their extractors. Reports extractors that take nothing from their
    /// source, and warns of sources and extractors of attributes that do nothing where they stand.
    mutating func bindDataSources() -> [PluginPipeline.BoundSource] {
        var bound: [PluginPipeline.BoundSource] = []
        var used: Set<String> = []
        for listed in configuration.dataLayer.sources {
            guard let source = instance(listed.source.name), let plugin = source.plugin as? any DataSource else {
                continue
            }
            var extractors: [any Plugin] = []
            for reference in listed.extractors {
                guard let extractor = instance(reference.name) else { continue }
                guard type(of: plugin).feeds(type(of: extractor.plugin)) else {
                    problems.report(
                        "'\(extractor.name)' of type \(extractor.type) takes nothing from '\(source.name)' of type "
                            + source.type,
                        at: Place(position: reference.position, path: reference.path)
                    )
                    continue
                }
                extractors.append(extractor.plugin)
                used.insert(extractor.name)
            }
            if !extractors.isEmpty { used.insert(source.name) }
            bound.append(.init(type: source.type, source: plugin, extractors: extractors))
        }
        for instance in instances where !used.contains(instance.name) {
            if instance.plugin is any AttributeSource {
                let message = "has no effect: dataLayer.sources lists no extractor for '\(instance.name)'"
                warn(message, at: place(ofPlugin: instance.name))
            } else if instance.plugin is any AttributeExtractor {
                let message = "has no effect: dataLayer.sources lists '\(instance.name)' for no source"
                warn(message, at: place(ofPlugin: instance.name))
            }
        }
        return bound
    }

    /// Reports attributes that plugins read and nothing fills. Metrics pages are read by the last metrics extractor,
    /// listed or not, further pages by the extractors of `sources`.
    mutating func checkAttributes(readFrom sources: [PluginPipeline.BoundSource]) {
        let metrics = instances.lazy.compactMap { $0.plugin as? any MetricsExtractor }.last
        var filled = metrics?.mappings.mappings.flatMap { $0.customMetrics.map(\.key) } ?? []
        for extractor in sources.flatMap(\.extractors) {
            if let extractor = extractor as? any AttributeExtractor { filled += extractor.rules.map(\.key) }
        }
        for need in context.consumedAttributes where !filled.contains(need.key) {
            problems.report(
                "plugin '\(need.plugin)' reads the attribute '\(need.key)' of endpoints, which no plugin fills",
                at: place(ofPlugin: need.plugin),
                suggestion: NearestName.find(need.key, in: filled)
            )
        }
    }
}
