package import GatewayCore

/// The plugins that come with the gateway. Adding one is one line here.
package enum BuiltinCatalogue {
    /// A registry of every built-in type, in the order in which lists show them: kind by kind, in the order in which
    /// they act on a request. Another name of a type comes directly behind it.
    package static func registry() -> PluginRegistry {
        var registry = PluginRegistry()
        registerProfileHandlers(in: &registry)
        registerDeciders(in: &registry)
        registerScreenersAndAdmitters(in: &registry)
        registerFilters(in: &registry)
        registerScorers(in: &registry)
        registerPickers(in: &registry)
        registerProducers(in: &registry)
        registerDataSources(in: &registry)
        registerFlowControl(in: &registry)
        registerParsers(in: &registry)
        registerReporters(in: &registry)
        for descriptor in UnavailablePlugins.descriptors { registry.registerUnavailable(descriptor) }
        return registry
    }

    /// What decides which profiles run.
    private static func registerProfileHandlers(in registry: inout PluginRegistry) {
        registry.register(SingleProfileHandler.self)
        registry.register(DisaggregatedProfileHandler.self)
        registry.register(HeaderProfileHandler.self)
        registry.register(DataParallelProfileHandler.self)
        registry.register(PrefillDecodeProfileHandler.self)
    }

    /// What says whether a stage has an endpoint of its own, and what tells the endpoints so.
    private static func registerDeciders(in registry: inout PluginRegistry) {
        registry.register(AlwaysPrefillDecider.self)
        registry.register(PrefixBasedDecider.self)
        registry.register(MultimodalDecider.self)
        registry.register(DisaggregationHeadersHandler.self)
        registry.register(DisaggregationHeadersHandler.self, as: "prefill-header-handler")
    }

    /// What removes candidates, or refuses requests, before any profile runs.
    private static func registerScreenersAndAdmitters(in registry: inout PluginRegistry) {
        registry.register(DisaggregatedSetRolloutScreener.self)

        registry.register(ProbabilisticAdmitter.self)
        registry.register(LatencySLOAdmitter.self)
    }

    /// What removes candidates: by labels, load, cache, place, latency, and for tests.
    private static func registerFilters(in registry: inout PluginRegistry) {
        registry.register(LabelSelectorFilter.self)
        registry.register(LabelSelectorFilter.self, as: "by-label-selector")
        registry.register(ByLabelFilter.self)
        registry.register(DecodeFilter.self)
        registry.register(PrefillFilter.self)
        registry.register(EncodeFilter.self)

        registry.register(UtilizationFilter.self)
        registry.register(EndpointAttributeFilter.self)
        registry.register(PrefixCacheAffinityFilter.self)
        registry.register(SessionAffinityFilter.self)
        registry.register(TopologyAffinityFilter.self)
        registry.register(SLOHeadroomTierFilter.self)
        registry.register(HeaderBasedTestingFilter.self)
    }

    /// What rates candidates: by load, cache, session, place, labels and latency.
    private static func registerScorers(in registry: inout PluginRegistry) {
        registry.register(QueueScorer.self)
        registry.register(RunningRequestsScorer.self)
        registry.register(KVCacheUtilizationScorer.self)
        registry.register(LoadAwareScorer.self)
        registry.register(ActiveRequestScorer.self)
        registry.register(TokenLoadScorer.self)
        registry.register(EndpointAttributeScorer.self)

        registry.register(PrefixCacheScorer.self)
        registry.register(NoHitLRUScorer.self)
        registry.register(EncoderCacheScorer.self)
        registry.register(LoRAAffinityScorer.self)

        registry.register(SessionAffinityScorer.self)
        registry.register(TopologyAffinityScorer.self)
        registry.register(HeaderLabelAffinityScorer.self)
        registry.register(ContextLengthAware.self)
        registry.register(LatencyScorer.self)
    }

    /// What chooses among the scored.
    private static func registerPickers(in registry: inout PluginRegistry) {
        registry.register(MaxScorePicker.self)
        registry.register(WeightedRandomPicker.self)
        registry.register(RandomPicker.self)
    }

    /// What computes data about a request before its profiles run.
    private static func registerProducers(in registry: inout PluginRegistry) {
        registry.register(TokenProducer.self)
        registry.register(TokenProducer.self, as: "tokenizer")
        registry.register(ApproximatePrefixCacheProducer.self)
        registry.register(BurstPrefixCacheProducer.self)
        registry.register(EncoderCacheProducer.self)
        registry.register(InFlightLoadProducer.self)
        registry.register(CacheSourceProducer.self)
        registry.register(SessionIDProducer.self)
        registry.register(AgentIdentity.self)
        registry.register(TopologyExtractor.self)
    }

    /// Where data about endpoints comes from, and the endpoints themselves.
    private static func registerDataSources(in registry: inout PluginRegistry) {
        registry.register(MetricsDataSource.self)
        registry.register(CoreMetricsExtractor.self)
        registry.register(ModelsDataSource.self)
        registry.register(ModelsDataExtractor.self)
        registry.register(DCGMDataSource.self)
        registry.register(DCGMExtractor.self)
        registry.register(EndpointNotificationSource.self)

        registry.register(FileDiscovery.self)
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

    /// What reads formats of requests.
    private static func registerParsers(in registry: inout PluginRegistry) {
        registry.register(OpenAIParser.self)
        registry.register(AnthropicParser.self)
        registry.register(VLLMHTTPParser.self)
        registry.register(SGLangHTTPParser.self)
        registry.register(VLLMGRPCParser.self)
        registry.register(VertexAIParser.self)
        registry.register(PassthroughParser.self)
    }

    /// What tells of responses.
    private static func registerReporters(in registry: inout PluginRegistry) {
        registry.register(RequestAttributeReporter.self)
        registry.register(DestinationEndpointServedVerifier.self)
    }
}
