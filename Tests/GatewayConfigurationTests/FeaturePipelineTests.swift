import BuiltinPlugins
import GatewayConfiguration
import GatewayCore
import Testing

/// Plugins that find each other through the configuration: sessions, places, labels.
@Suite struct FeaturePipelineTests {
    private func build(_ yaml: String) throws -> PluginPipeline {
        let head = "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n"
        let configuration = try EndpointPickerConfiguration.decode(text: head + yaml, file: "epp.yaml")
        let builder = PipelineBuilder(registry: BuiltinCatalogue.registry(), allowsExperimental: true)
        return try builder.build(configuration, context: PluginContext(clock: SystemMonotonicClock()))
    }

    private func problem(_ yaml: String) -> String {
        do {
            _ = try build(yaml)
            return ""
        } catch {
            return "\(error)"
        }
    }

    private func producers(_ pipeline: PluginPipeline) -> [String] {
        pipeline.producers.map { type(of: $0.plugin).descriptor.type }
    }

    @Test func sessionsAreReadBehindWhoNamesThem() throws {
        let pipeline = try build(
            """
            plugins:
            - type: session-affinity-scorer
              parameters:
                strategy: session_id
                sessionIdConfig:
                  sources: [{attribute: SessionID, producer: sessions}, {attribute: agent-identity}]
            - {type: agent-identity}
            - {name: sessions, type: session-id-producer, parameters: {cookieName: sid}}
            """
        )
        #expect(producers(pipeline) == ["agent-identity", "session-id-producer", "session-affinity-scorer"])
        #expect(pipeline.warnings.isEmpty)
        #expect(pipeline.agentIdentifiers.count == 1)
    }

    @Test func anAttributeThatNobodyWritesIsRefused() {
        let scorer = """
            plugins:
            - type: session-affinity-scorer
              parameters: {strategy: session_id, sessionIdConfig: {sources: [{attribute: ATTRIBUTE}]}}
            """
        let missing = problem(scorer.replacing("ATTRIBUTE", with: "agent-identity"))
        #expect(missing.contains("no default producer found for missing data key 'agent-identity/'"))
        // The default producer of this one does not know which header to read.
        let undecided = problem(scorer.replacing("ATTRIBUTE", with: "SessionID"))
        #expect(undecided.contains("exactly one of headerName and cookieName must be given"))
    }

    @Test func placesAreReadByDefault() throws {
        let pipeline = try build("plugins: [{type: topology-affinity-filter}]")
        #expect(producers(pipeline) == ["topology-extractor"])
        #expect(
            pipeline.warnings.map(\.message) == [
                "plugin 'topology-affinity-filter' does without the data 'peer-endpoint/disagg-profile-handler', which "
                    + "nothing produces"
            ]
        )
    }

    @Test func placesMayBeListedAsAnExtractor() throws {
        let pipeline = try build(
            """
            plugins: [{name: places, type: topology-extractor}, {type: topology-affinity-scorer, \
            parameters: {topologyProducerName: places}}, {type: endpoint-notification-source}]
            dataLayer: {sources: [{pluginRef: endpoint-notification-source, extractors: [{pluginRef: places}]}]}
            """
        )
        #expect(producers(pipeline) == ["topology-extractor"])
    }

    @Test func screenersAreNoPartOfAProfile() throws {
        let pipeline = try build(
            """
            plugins:
            - type: disaggregatedset-rollout-screener
              parameters: {scope: {labelSelector: app=x}, revisionGating: {mode: disabled}}
            - {type: context-length-aware}
            """
        )
        #expect(pipeline.screeners.count == 1 && pipeline.responseHeaderProcessors.count == 1)
        #expect(pipeline.profiles[0].filters.map(\.name) == ["context-length-aware"])
        #expect(pipeline.profiles[0].scorers.map(\.name) == ["context-length-aware"])
        #expect(pipeline.warnings.isEmpty)
    }

    @Test func olderNamesAreWarnedOf() throws {
        let pipeline = try build(
            "plugins: [{type: by-label-selector}, {type: by-label, parameters: {label: a, allowsNoLabel: true}}]"
        )
        #expect(
            pipeline.warnings.map(\.message) == [
                "plugin type 'by-label-selector' is deprecated: use label-selector-filter",
                "plugin type 'by-label' is deprecated: use label-selector-filter, or decode-filter, prefill-filter and "
                    + "encode-filter for roles",
            ]
        )
    }
}
