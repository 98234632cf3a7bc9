package import GatewayCore

/// The plugins that come with the gateway. Adding one is one line here.
package enum BuiltinCatalogue {
    /// A registry of every built-in type, in the order in which lists show them.
    package static func registry() -> PluginRegistry {
        var registry = PluginRegistry()
        registerProfileHandlers(in: &registry)
        registerFilters(in: &registry)
        registerScorersAndPickers(in: &registry)
        registerProducers(in: &registry)
        registerFlowControl(in: &registry)
        registerData(in: &registry)
        for descriptor in UnavailablePlugins.descriptors { registry.registerUnavailable(descriptor) }
        return registry
    }

    /// What decides which profiles run.
    private static func registerProfileHandlers(in registry: inout PluginRegistry) {
        registry.register(SingleProfileHandler.self)
        registry.register(DisaggregatedProfileHandler.self)
        registry.register(DataParallelProfileHandler.self)
        registry.register(PrefillDecodeProfileHandler.self)
        registry.register(HeaderProfileHandler.self)

        registry.register(AlwaysPrefillDecider.self)
        registry.register(PrefixBasedDecider.self)
        registry.register(MultimodalDecider.self)
        registry.register(DisaggregationHeadersHandler.self)
        registry.register(DisaggregationHeadersHandler.self, as: "prefill-header-handler")
    }

    /// What removes candidates.
    private static func registerFilters(in registry: inout PluginRegistry) {
        registry.register(LabelSelectorFilter.self)
        registry.register(LabelSelectorFilter.self, as: "by-label-selector")
        registry.register(ByLabelFilter.self)
        registry.register(DecodeFilter.self)
        registry.register(PrefillFilter.self)
        registry.register(EncodeFilter.self)
        registry.register(SessionAffinityFilter.self)
        registry.register(TopologyAffinityFilter.self)
        registry.register(SLOHeadroomTierFilter.self)
        registry.register(PrefixCacheAffinityFilter.self)
        registry.register(UtilizationFilter.self)
        registry.register(EndpointAttributeFilter.self)
        registry.register(HeaderBasedTestingFilter.self)
    }

    /// What rates candidates, and what chooses among them.
    private static func registerScorersAndPickers(in registry: inout PluginRegistry) {
        registry.register(QueueScorer.self)
        registry.register(KVCacheUtilizationScorer.self)
        registry.register(RunningRequestsScorer.self)
        registry.register(LoadAwareScorer.self)
        registry.register(TokenLoadScorer.self)
        registry.register(ActiveRequestScorer.self)
        registry.register(LoRAAffinityScorer.self)
        registry.register(PrefixCacheScorer.self)
        registry.register(LatencyScorer.self)
        registry.register(NoHitLRUScorer.self)
        registry.register(EncoderCacheScorer.self)
        registry.register(EndpointAttributeScorer.self)
        registry.register(ContextLengthAware.self)
        registry.register(SessionAffinityScorer.self)
        registry.register(HeaderLabelAffinityScorer.self)
        registry.register(TopologyAffinityScorer.self)

        registry.register(MaxScorePicker.self)
        registry.register(WeightedRandomPicker.self)
        registry.register(RandomPicker.self)
    }

    /// What acts on a request before its profiles run.
    private static func registerProducers(in registry: inout PluginRegistry) {
        registry.register(TokenProducer.self)
        registry.register(TokenProducer.self, as: "tokenizer")
        registry.register(ApproximatePrefixCacheProducer.self)
        registry.register(InFlightLoadProducer.self)
        registry.register(BurstPrefixCacheProducer.self)
        registry.register(EncoderCacheProducer.self)
        registry.register(CacheSourceProducer.self)
        registry.register(SessionIDProducer.self)
        registry.register(AgentIdentity.self)

        registry.register(DisaggregatedSetRolloutScreener.self)
        registry.register(LatencySLOAdmitter.self)
        registry.register(ProbabilisticAdmitter.self)
    }

    /// What says how full a pool is, and what says who waits and who goes first when it is.
    private static func registerFlowControl(in registry: inout PluginRegistry) {
        registry.register(UtilizationDetector.self)
        registry.register(ConcurrencyDetector.self)
        registry.register(LearnedCapacityDetector.self)

        registry.register(GlobalStrictFairnessPolicy.self)
        registry.register(RoundRobinFairnessPolicy.self)
        registry.register(ProgramAwareFairnessPolicy.self)
        registry.register(VirtualTokenCounterFairnessPolicy.self)
        registry.register(DeficitRoundRobinFairnessPolicy.self)
        registry.register(FCFSOrderingPolicy.self)
        registry.register(EDFOrderingPolicy.self)
        registry.register(SLODeadlineOrderingPolicy.self)
        registry.register(ShortestUncachedPrefillOrderingPolicy.self)
        registry.register(StaticUsageLimitPolicy.self)
        registry.register(PriorityHoldbackPolicy.self)
        registry.register(SoftReflectiveCeilingPolicy.self)
        registry.register(SheddableEvictionFilter.self)
        registry.register(SheddableEvictionFilter.self, as: SheddableEvictionFilter.formerType)
        registry.register(PriorityThenTimeEvictionOrder.self)
        registry.register(PriorityThenTimeEvictionOrder.self, as: PriorityThenTimeEvictionOrder.formerType)
    }

    /// Where data comes from, and where it goes.
    private static func registerData(in registry: inout PluginRegistry) {
        registry.register(MetricsDataSource.self)
        registry.register(CoreMetricsExtractor.self)
        registry.register(ModelsDataSource.self)
        registry.register(ModelsDataExtractor.self)
        registry.register(DCGMDataSource.self)
        registry.register(DCGMExtractor.self)
        registry.register(EndpointNotificationSource.self)
        registry.register(TopologyExtractor.self)

        registry.register(DestinationEndpointServedVerifier.self)
        registry.register(RequestAttributeReporter.self)

        registry.register(OpenAIParser.self)
        registry.register(AnthropicParser.self)
        registry.register(VLLMHTTPParser.self)
        registry.register(SGLangHTTPParser.self)
        registry.register(VLLMGRPCParser.self)
        registry.register(VertexAIParser.self)
        registry.register(PassthroughParser.self)

        registry.register(FileDiscovery.self)
    }
}
