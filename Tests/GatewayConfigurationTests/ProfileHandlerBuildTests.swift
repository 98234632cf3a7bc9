import GatewayConfiguration
import GatewayCore
import Testing

@testable import BuiltinPlugins

/// Pipelines with several profiles.
@Suite struct ProfileHandlerBuildTests {
    private func build(_ plugins: String, profiles: [String]) throws -> PluginPipeline {
        let lists = profiles.map { "- {name: \($0), plugins: [{pluginRef: max-score-picker}]}" }.joined(separator: "\n")
        let yaml = """
            apiVersion: llm-d.ai/v1alpha1
            kind: EndpointPickerConfig
            plugins:
            - type: max-score-picker
            \(plugins)
            schedulingProfiles:
            \(lists)
            """
        let configuration = try EndpointPickerConfiguration.decode(text: yaml, file: "epp.yaml")
        var registry = BuiltinCatalogue.registry()
        registry.register(NotADecider.self)
        let builder = PipelineBuilder(registry: registry, allowsExperimental: true)
        return try builder.build(configuration, context: PluginContext(clock: SystemMonotonicClock()))
    }

    private func problems(_ plugins: String, profiles: [String]) -> String {
        do {
            _ = try build(plugins, profiles: profiles)
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test func decidersAreMadeBeforeTheHandlerThatNamesThem() throws {
        let plugins = """
            - {type: disagg-profile-handler, parameters: {deciders: {prefill: mine}}}
            - {type: always-disagg-pd-decider, name: mine}
            """
        let pipeline = try build(plugins, profiles: ["prefill", "decode"])
        #expect(pipeline.handler is DisaggregatedProfileHandler)
        #expect(pipeline.warnings.isEmpty)
        #expect(pipeline.preRequests.count == 1)
        // Who only reads of the prompt what nobody needs, makes nobody produce it.
        #expect(pipeline.producers.isEmpty)
    }

    @Test func namesThatLeadNowhereAreErrors() {
        let missing = "- {type: disagg-profile-handler, parameters: {deciders: {prefill: always-disagg-pd-decidr}}}"
        let text = problems(missing, profiles: ["decode", "prefill"])
        #expect(text.contains("plugins[1]: no plugin is called 'always-disagg-pd-decidr'"), "\(text)")
        let other = """
            - {type: disagg-profile-handler, parameters: {deciders: {encode: not-a-decider}}}
            - type: not-a-decider
            """
        let error = problems(other, profiles: ["decode", "encode"])
        #expect(error.contains("deciders.encode: the plugin 'not-a-decider' is not a decider"), "\(error)")
        let pd = problems("- type: pd-profile-handler", profiles: ["decode", "prefill"])
        #expect(pd.contains("no plugin is called 'prefix-based-pd-decider', which 'pd-profile-handler' refers to"))
    }

    @Test func profilesThatDoNotFitAreErrors() {
        #expect(
            problems("- type: disagg-profile-handler", profiles: ["default"]) == """
                epp.yaml:5:3: plugins[1]: there is no scheduling profile 'decode' for decode workers; there \
                are 'default'
                """
        )
        #expect(
            problems("- type: data-parallel-profile-handler", profiles: ["a", "b"]) == """
                epp.yaml:5:3: plugins[1]: data-parallel-profile-handler runs one profile, there are 2
                """
        )
    }

    @Test func whatNeverRunsIsSaid() throws {
        let plugins = """
            - {type: disagg-profile-handler, parameters: {deciders: {encode: always-disagg-pd-decider}}}
            - type: always-disagg-pd-decider
            """
        #expect(
            try build(plugins, profiles: ["decode", "prefill"]).warnings.map(\.message) == [
                "the scheduling profile 'prefill' never runs: no decider for prefill is named",
                "the decider for encode has no effect: there is no scheduling profile 'encode'",
            ]
        )
    }

    @Test func onlyOneHandlerIsAllowed() {
        let plugins = "- type: disagg-profile-handler\n- type: header-profile-handler"
        let text = problems(plugins, profiles: ["decode"])
        #expect(text.contains("there is already the profile handler \"disagg-profile-handler\""), "\(text)")
    }
}

private struct NotADecider: Plugin {
    static let descriptor = PluginDescriptor(type: "not-a-decider", summary: "")

    init(parameters: ParameterDecoder, context: inout PluginContext) {}
}
