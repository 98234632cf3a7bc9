package import GatewayCore

/// The plugins that come with the gateway. Adding one is one line here.
package enum BuiltinCatalogue {
    /// A registry of every built-in type, in the order in which lists show them.
    package static func registry() -> PluginRegistry {
        var registry = PluginRegistry()
        registry.register(SingleProfileHandler.self)

        registry.register(LabelSelectorFilter.self)
        registry.register(LabelSelectorFilter.self, as: "by-label-selector")
        registry.register(ByLabelFilter.self)
        registry.register(DecodeFilter.self)
        registry.register(PrefillFilter.self)
        registry.register(EncodeFilter.self)
        registry.register(SessionAffinityFilter.self)
        registry.register(TopologyAffinityFilter.self)
        registry.register(HeaderBasedTestingFilter.self)

        registry.register(QueueScorer.self)
        registry.register(KVCacheUtilizationScorer.self)
        registry.register(RunningRequestsScorer.self)
        registry.register(LoRAAffinityScorer.self)
        registry.register(PrefixCacheScorer.self)
        registry.register(ContextLengthAware.self)
        registry.register(SessionAffinityScorer.self)
        registry.register(HeaderLabelAffinityScorer.self)
        registry.register(TopologyAffinityScorer.self)

        registry.register(MaxScorePicker.self)
        registry.register(WeightedRandomPicker.self)
        registry.register(RandomPicker.self)

        registry.register(ApproximatePrefixCacheProducer.self)
        registry.register(SessionIDProducer.self)
        registry.register(AgentIdentity.self)

        registry.register(DisaggregatedSetRolloutScreener.self)

        registry.register(MetricsDataSource.self)
        registry.register(CoreMetricsExtractor.self)
        registry.register(TopologyExtractor.self)

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
