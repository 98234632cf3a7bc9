import GatewayCore

/// The metrics that scheduling uses, by the names that each engine gives them.
struct CoreMetricsExtractor: MetricsExtractor {
    static let descriptor = PluginDescriptor(
        type: "core-metrics-extractor",
        summary: "Reads the load, cache and LoRA metrics of vLLM, SGLang, TensorRT-LLM, Triton and llama.cpp."
    )

    let mappings: EngineMappings

    /// Reads `engineLabelKey`, `defaultEngine` and `engineConfigs`. An engine configuration replaces the built-in one
    /// of the same name.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        var mappings = EngineMappings()
        mappings.engineLabel = parameters.string("engineLabelKey", default: mappings.engineLabel)
        mappings.defaultEngine = parameters.string("defaultEngine", default: mappings.defaultEngine)
        var configured: Set<String> = []
        for configuration in parameters.objects("engineConfigs") {
            var mapping = Self.mapping(configuration)
            // The format has no word for it, and it is the engine's own whatever else is configured.
            mapping.workDone = mappings.mapping(named: mapping.name)?.workDone
            if !configured.insert(mapping.name).inserted {
                configuration.report("engine '\(mapping.name)' is configured twice", at: "name")
            }
            if let index = mappings.mappings.firstIndex(where: { $0.name == mapping.name }) {
                mappings.mappings[index] = mapping
            } else {
                mappings.mappings.append(mapping)
            }
        }
        if mappings.mapping(named: mappings.defaultEngine) == nil {
            parameters.report(
                "engine '\(mappings.defaultEngine)' has no configuration",
                at: "defaultEngine",
                candidates: mappings.mappings.map(\.name),
                name: mappings.defaultEngine
            )
        }
        self.mappings = mappings
    }

    private static func mapping(_ parameters: ParameterDecoder) -> EngineMetricMapping {
        var mapping = EngineMetricMapping(name: parameters.requiredString("name"))
        if mapping.name == "default" {
            parameters.report("'default' is reserved for the engine that defaultEngine names", at: "name")
        }
        mapping.queuedRequests = spec("queuedRequestsSpec", parameters)
        mapping.runningRequests = spec("runningRequestsSpec", parameters)
        mapping.kvCacheUsage = spec("kvUsageSpec", parameters)
        mapping.loraInfo = spec("loraSpec", parameters)
        mapping.cacheInfo = spec("cacheInfoSpec", parameters)
        mapping.cacheBlockSizeLabel = label("cacheBlockSizeLabelName", mapping.cacheBlockSizeLabel, parameters)
        mapping.cacheBlockCountLabel = label("cacheNumBlocksLabelName", mapping.cacheBlockCountLabel, parameters)
        mapping.cacheBlockSize = spec("cacheBlockSizeSpec", parameters)
        mapping.cacheBlockCount = spec("cacheNumBlocksSpec", parameters)
        mapping.customMetrics = customMetrics(parameters)
        return mapping
    }

    /// `customMetrics`: numbers beside those above, by names of their own.
    private static func customMetrics(_ parameters: ParameterDecoder) -> [EngineMetricMapping.CustomMetric] {
        var metrics: [EngineMetricMapping.CustomMetric] = []
        for custom in parameters.objects("customMetrics") {
            let name = custom.requiredString("attributeKey")
            let isWritten = !custom.requiredString("metricSpec").isEmpty
            let metric = isWritten ? spec("metricSpec", custom) : nil
            let attribute = EndpointAttribute(name: name, producer: descriptor.type)
            guard case .stored(let key) = attribute else {
                custom.report("'\(name)' is the name of a metric that is always read", at: "attributeKey")
                continue
            }
            if metrics.contains(where: { $0.key == key }) {
                custom.report("'\(name)' is the key of an earlier metric of the engine", at: "attributeKey")
            } else if let metric {
                metrics.append(EngineMetricMapping.CustomMetric(key: key, metric: metric))
            }
        }
        return metrics
    }

    /// The specification at `key`; `nil` when it is absent, empty or not valid.
    private static func spec(_ key: String, _ parameters: ParameterDecoder) -> MetricSpec? {
        let text = parameters.string(key, default: "")
        guard !text.isEmpty else { return nil }
        do throws(MetricSpec.SyntaxError) {
            return try MetricSpec(parsing: text)
        } catch {
            parameters.report(error.description, at: key)
            return nil
        }
    }

    /// The label name at `key`; the format takes an empty one for the default.
    private static func label(_ key: String, _ fallback: String, _ parameters: ParameterDecoder) -> String {
        let name = parameters.string(key, default: "")
        return name.isEmpty ? fallback : name
    }
}
