import GatewayConfiguration
import GatewayCore
import Testing

@testable import BuiltinPlugins

/// What a pipeline has of flow control and saturation, from configurations in YAML.
@Suite struct FlowControlBuildTests {
    private func build(_ yaml: String) throws -> PluginPipeline {
        let head = "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n"
        let configuration = try EndpointPickerConfiguration.decode(text: head + yaml, file: "epp.yaml")
        let builder = PipelineBuilder(registry: BuiltinCatalogue.registry(), allowsExperimental: true)
        return try builder.build(configuration, context: PluginContext(clock: SystemMonotonicClock()))
    }

    private func warnings(_ yaml: String) throws -> [String] {
        try build(yaml).warnings.map(\.description)
    }

    @Test func theDefaultsAreMade() throws {
        let pipeline = try build("")
        let implicit = pipeline.plugins.filter(\.isImplicit).map(\.name)
        for name in [
            "fcfs-ordering-policy", "global-strict-fairness-policy", "static-usage-limit-policy",
            "utilization-detector",
        ] {
            #expect(implicit.contains(name), "\(name)")
        }
        #expect(pipeline.saturationDetector is UtilizationDetector)
        #expect(pipeline.profiles[0].filters.isEmpty)
        #expect(pipeline.warnings.isEmpty)
    }

    @Test func theConfigurationChoosesTheDetector() throws {
        let pipeline = try build(
            """
            plugins:
            - {name: mine, type: concurrency-detector, parameters: {maxConcurrency: 5}}
            - type: max-score-picker
            schedulingProfiles: [{name: default, plugins: [{pluginRef: max-score-picker}]}]
            flowControl: {saturationDetector: {pluginRef: mine}}
            """
        )
        #expect(pipeline.saturationDetector is ConcurrencyDetector)
        #expect(pipeline.profiles[0].filters.isEmpty)
        #expect(!pipeline.plugins.contains { $0.type == "utilization-detector" })
        #expect(pipeline.warnings.isEmpty)
    }

    @Test func aDetectorIsAFilterWhereAProfileRefersToIt() throws {
        let listed = try build("plugins: [{type: utilization-detector}]")
        #expect(listed.profiles[0].filters.map(\.name) == ["utilization-detector"])
        #expect(listed.saturationDetector is UtilizationDetector)
        let both = try build("plugins: [{type: concurrency-detector}]")
        #expect(both.profiles[0].filters.map(\.name) == ["concurrency-detector"])
        #expect(both.saturationDetector is UtilizationDetector)
    }

    @Test func theGateTurnsTheQueuesOn() throws {
        let yaml = """
            featureGates: [flowControl]
            plugins: [{type: round-robin-fairness-policy}, {type: edf-ordering-policy}, {type: max-score-picker}]
            flowControl:
              maxRequests: 10k
              usageLimitPolicyPluginRef: static-usage-limit-policy
              priorityBands:
              - {priority: 1, fairnessPolicyRef: round-robin-fairness-policy, orderingPolicyRef: edf-ordering-policy}
            """
        #expect(try warnings(yaml) == [])
        let settings = try #require(try build(yaml).flowControl)
        #expect(settings.maxRequests == 10_000)
        #expect(settings.requestTTL == .seconds(60))
        #expect(settings.bands.keys.sorted() == [1])
        #expect(settings.bands[1]?.fairness is RoundRobinFairnessPolicy)
        #expect(settings.bands[1]?.ordering is EDFOrderingPolicy)
        #expect(settings.template.fairness is GlobalStrictFairnessPolicy)
        #expect(try build("featureGates: [flowControl]").flowControl?.maxRequests == nil)
        #expect(try build("featureGates: [flowControl=false]").flowControl == nil)
        #expect(try build("featureGates: [flowControl=false, \"flowControl = true\"]").flowControl != nil)
    }

    @Test func zeroMeansForEverAndEvictionBringsItsPolicies() throws {
        let yaml = """
            featureGates: [flowControl]
            flowControl:
              {defaultRequestTTL: 0s, noEndpointRequestTTL: 5m, enableEviction: true, lowerPriorityShare: 0.1}
            """
        let settings = try #require(try build(yaml).flowControl)
        #expect(settings.requestTTL == nil)
        #expect(settings.noEndpointTTL == .seconds(300))
        #expect(settings.lowerPriorityShare == 0.1)
        let eviction = try #require(settings.eviction)
        #expect(eviction.count == 2)
        #expect(eviction.contains { $0 is SheddableEvictionFilter })
        #expect(eviction.contains { $0 is PriorityThenTimeEvictionOrder })
    }

    @Test func withoutTheGateTheSectionHasNoEffect() throws {
        #expect(
            try warnings("featureGates: [flowControl, flowControl=false]\nflowControl: {maxRequests: 1}") == [
                "epp.yaml:4:14: flowControl: has no effect without the feature gate \"flowControl\""
            ]
        )
    }

    @Test func whatNobodyRefersToHasNoEffect() throws {
        let yaml = """
            plugins:
            - type: max-score-picker
            - type: program-aware-fairness
            - type: concurrency-detector
            - type: sheddable-eviction-filter
            - type: fcfs-ordering-policy
            schedulingProfiles: [{name: default, plugins: [{pluginRef: max-score-picker}]}]
            """
        #expect(
            try warnings(yaml) == [
                "epp.yaml:5:3: plugins[1]: has no effect: flowControl does not refer to 'program-aware-fairness'",
                "epp.yaml:6:3: plugins[2]: has no effect: neither flowControl.saturationDetector nor a profile refers "
                    + "to 'concurrency-detector'",
                "epp.yaml:7:3: plugins[3]: has no effect: flowControl.enableEviction is not on",
            ]
        )
    }

    @Test func formerNamesAreDeprecated() throws {
        let warnings = try warnings("plugins: [{type: eviction-sheddable-filter}]")
        #expect(
            warnings.first?.hasSuffix(
                "plugin type 'eviction-sheddable-filter' is deprecated: use sheddable-eviction-filter"
            ) == true
        )
    }

    @Test(arguments: ["latency-scorer", "slo-headroom-tier-filter", "latency-slo-admitter"])
    func predictionsNeedAPredictor(type: String) {
        let error = #expect(throws: ConfigurationError.self) { try build("plugins: [{type: \(type)}]") }
        #expect(
            error?.description
                == "epp.yaml:3:11: plugins[0]: plugin '\(type)' requires the data "
                + "'LatencyPredictionInfo/predicted-latency-producer', and its default producer "
                + "'predicted-latency-producer' cannot be used: this release has no client for the latency predictor's "
                + "servers"
        )
    }
}
