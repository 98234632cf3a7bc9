package import GatewayCore

/// The plugins that come with the gateway. Adding one is one line here.
package enum BuiltinCatalogue {
    /// A registry of every built-in type, in the order in which lists show them.
    package static func registry() -> PluginRegistry {
        var registry = PluginRegistry()
        registry.register(SingleProfileHandler.self)

        registry.register(LabelSelectorFilter.self)
        registry.register(UtilizationFilter.self)
        registry.register(EndpointAttributeFilter.self)
        registry.register(HeaderBasedTestingFilter.self)

        registry.register(QueueScorer.self)
        registry.register(KVCacheUtilizationScorer.self)
        registry.register(RunningRequestsScorer.self)
        registry.register(LoadAwareScorer.self)
        registry.register(TokenLoadScorer.self)
        registry.register(ActiveRequestScorer.self)
        registry.register(LoRAAffinityScorer.self)
        registry.register(PrefixCacheScorer.self)
        registry.register(EndpointAttributeScorer.self)

        registry.register(MaxScorePicker.self)
        registry.register(WeightedRandomPicker.self)
        registry.register(RandomPicker.self)

        registry.register(ApproximatePrefixCacheProducer.self)
        registry.register(InFlightLoadProducer.self)

        registry.register(MetricsDataSource.self)
        registry.register(CoreMetricsExtractor.self)
        registry.register(ModelsDataSource.self)
        registry.register(ModelsDataExtractor.self)
        registry.register(DCGMDataSource.self)
        registry.register(DCGMExtractor.self)
        registry.register(EndpointNotificationSource.self)

        registry.register(DestinationEndpointServedVerifier.self)

        registry.register(OpenAIParser.self)
        registry.register(AnthropicParser.self)
        registry.register(VLLMHTTPParser.self)
        registry.register(SGLangHTTPParser.self)
        registry.register(PassthroughParser.self)

        registry.register(FileDiscovery.self)

        for descriptor in UnavailablePlugins.descriptors { registry.registerUnavailable(descriptor) }
        return registry
    }
}
