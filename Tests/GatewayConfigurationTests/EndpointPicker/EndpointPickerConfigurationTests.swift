import GatewayCore
import Testing

@testable import GatewayConfiguration

/// The plugin types of these tests.
let testPlugins: [String: PluginRoles] = [
    "queue-scorer": .scorer, "kv-cache-utilization-scorer": .scorer, "prefix-cache-scorer": .scorer,
    "label-selector-filter": .filter, "context-length-aware": [.filter, .scorer], "max-score-picker": .picker,
    "random-picker": .picker, "single-profile-handler": .profileHandler, "disagg-profile-handler": .profileHandler,
    "metrics-data-source": .dataSource, "core-metrics-extractor": .extractor, "openai-parser": .parser,
    "anthropic-parser": .parser, "passthrough-parser": .parser, "utilization-detector": .saturationDetector,
    "concurrency-detector": .saturationDetector, "fcfs-ordering-policy": .orderingPolicy,
    "edf-ordering-policy": .orderingPolicy, "global-strict-fairness-policy": .fairnessPolicy,
    "static-usage-limit-policy": .usageLimitPolicy, "session-id-producer": .other,
    "file-discovery": .endpointSource,
]

@Suite struct EndpointPickerConfigurationTests {
    static let header = "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n"

    static let complete =
        header + """
            metadata: {name: llama}
            featureGates: [flowControl, "haPopulateNonLeaderDatastore = F"]
            plugins:
            - {name: queue, type: queue-scorer, parameters: {threshold: 5}}
            - type: random-picker
            - type: disagg-profile-handler
            - {name: source, type: metrics-data-source, parameters: {scheme: https}}
            - type: core-metrics-extractor
            - type: concurrency-detector
            - type: anthropic-parser
            - type: file-discovery
            - {name: edf, type: edf-ordering-policy}
            schedulingProfiles:
            - name: prefill
              plugins: [{pluginRef: queue, weight: 2.5}, {pluginRef: random-picker}]
            - name: decode
              plugins: [{pluginRef: queue}]
            dataLayer:
              injectDefaults: false
              sources: [{pluginRef: source, extractors: [{pluginRef: core-metrics-extractor}]}]
              discovery: {pluginRef: file-discovery}
              crossReplicaSyncInterval: 1m30s
            flowControl:
              maxBytes: 1Gi
              maxRequests: "0"
              defaultRequestTTL: 10s
              defaultPriorityBand: {maxRequests: 7}
              priorityBands: [{priority: -1, maxBytes: 1k}, {priority: 10, maxRequests: 0, orderingPolicyRef: edf}]
              saturationDetector: {pluginRef: concurrency-detector}
              enableEviction: true
            requestHandler: {parsers: [{pluginRef: anthropic-parser}, {pluginRef: openai-parser}]}

            """

    static let warningsOfComplete = [
        "epp.yaml:24:3: dataLayer.crossReplicaSyncInterval: has no effect: this release shares no state with other "
            + "replicas"
    ]

    private func decode(_ body: String) throws(ConfigurationError) -> EndpointPickerConfiguration {
        try EndpointPickerConfiguration.decode(text: Self.header + body, file: "epp.yaml")
    }

    /// The problems of decoding and of applying defaults, one a line.
    private func problems(_ body: String) -> [String] {
        do {
            _ = try decode(body).applyingDefaults(knownPlugins: testPlugins)
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    @Test func readsEveryField() throws {
        let read = try EndpointPickerConfiguration.decode(text: Self.complete, file: "epp.yaml")
        #expect(read.warnings.map(\.description) == Self.warningsOfComplete)
        #expect(read.pool == ResourceName(name: "llama"))
        #expect(read.isEnabled("flowControl"))
        #expect(!read.isEnabled("haPopulateNonLeaderDatastore"))
        #expect(read.plugins.map(\.name).prefix(3) == ["queue", "random-picker", "disagg-profile-handler"])
        #expect(read.plugins[0].parameters == ["threshold": 5])
        #expect(read.plugins[0].position.description == "epp.yaml:6:3")
        #expect(read.plugins[1].parameters == nil)
        #expect(read.schedulingProfiles.map(\.name) == ["prefill", "decode"])
        #expect(read.schedulingProfiles[0].plugins.map(\.weight) == [2.5, nil])
        #expect(!read.dataLayer.injectsDefaults)
        #expect(read.dataLayer.sources[0].extractors.map(\.name) == ["core-metrics-extractor"])
        #expect(read.dataLayer.crossReplicaSyncInterval == .seconds(90))
        let flow = try #require(read.flowControl)
        #expect(flow.maxBytes == 1 << 30)
        #expect(flow.maxRequests == nil)
        #expect(flow.noEndpointRequestTTL == .seconds(10))
        #expect(flow.defaultNegativePriorityBand.maxRequests == 7)
        #expect(flow.priorityBands.map(\.maxBytes) == [1_000, 1_000_000_000])
        #expect(flow.priorityBands.map(\.maxRequests) == [5_000, 5_000])
        #expect(flow.priorityBands[1].orderingPolicy.name == "edf")
        #expect(flow.evicts)
        #expect(read.saturationDetector?.name == "concurrency-detector")
        #expect(read.parsers.map(\.name) == ["anthropic-parser", "openai-parser"])
    }

    @Test func completesTheCompleteOne() throws {
        let read = try EndpointPickerConfiguration.decode(text: Self.complete, file: "epp.yaml")
        let completed = try read.applyingDefaults(knownPlugins: testPlugins)
        #expect(completed.warnings.map(\.description) == Self.warningsOfComplete)
        #expect(completed.schedulingProfiles[0].plugins.map(\.plugin.name) == ["queue", "random-picker"])
        #expect(completed.schedulingProfiles[1].plugins.map(\.plugin.name) == ["queue", "random-picker"])
        #expect(completed.schedulingProfiles[1].plugins.map(\.weight) == [1, nil])
        #expect(completed.dataLayer.sources.map(\.source.name) == ["source"])
        #expect(
            completed.plugins.map(\.name).dropFirst(9) == [
                "fcfs-ordering-policy", "global-strict-fairness-policy", "static-usage-limit-policy", "openai-parser",
            ]
        )
    }

    @Test func anEmptyConfigurationGetsEveryDefault() throws {
        let completed = try decode("").applyingDefaults(knownPlugins: testPlugins)
        #expect(
            CanonicalPrinter.print(completed) == """
                apiVersion: llm-d.ai/v1alpha1
                kind: EndpointPickerConfig
                plugins:
                - name: single-profile-handler
                  type: single-profile-handler
                - name: max-score-picker
                  type: max-score-picker
                - name: fcfs-ordering-policy
                  type: fcfs-ordering-policy
                - name: global-strict-fairness-policy
                  type: global-strict-fairness-policy
                - name: static-usage-limit-policy
                  type: static-usage-limit-policy
                - name: openai-parser
                  type: openai-parser
                - name: anthropic-parser
                  type: anthropic-parser
                - name: passthrough-parser
                  type: passthrough-parser
                - name: utilization-detector
                  type: utilization-detector
                - name: metrics-data-source
                  type: metrics-data-source
                - name: core-metrics-extractor
                  type: core-metrics-extractor
                schedulingProfiles:
                - name: default
                  plugins:
                  - pluginRef: max-score-picker
                dataLayer:
                  sources:
                  - pluginRef: metrics-data-source
                    extractors:
                    - pluginRef: core-metrics-extractor
                flowControl:
                  saturationDetector:
                    pluginRef: utilization-detector
                requestHandler:
                  parsers:
                  - pluginRef: openai-parser
                  - pluginRef: anthropic-parser
                  - pluginRef: passthrough-parser

                """
        )
    }

    @Test func theBuiltinDefaultIsComplete() throws {
        let completed = try EndpointPickerConfiguration.builtinDefault.applyingDefaults(knownPlugins: testPlugins)
        let profile = try #require(completed.schedulingProfiles.first)
        #expect(
            profile.plugins.map(\.plugin.name) == [
                "queue-scorer", "kv-cache-utilization-scorer", "prefix-cache-scorer", "max-score-picker",
            ]
        )
        #expect(profile.plugins.map(\.weight) == [2, 2, 3, nil])
        #expect(completed.dataLayer.sources.map(\.source.name) == ["metrics-data-source"])
    }

    @Test func withoutProfilesEverySchedulingPluginIsUsedInOrder() throws {
        let body = """
            plugins:
            - type: random-picker
            - type: label-selector-filter
            - type: session-id-producer
            - type: context-length-aware
            """
        let completed = try decode(body).applyingDefaults(knownPlugins: testPlugins)
        let profile = try #require(completed.schedulingProfiles.first)
        #expect(completed.schedulingProfiles.count == 1)
        #expect(profile.name == "default")
        #expect(
            profile.plugins.map(\.plugin.name) == ["random-picker", "label-selector-filter", "context-length-aware"]
        )
        #expect(profile.plugins.map(\.weight) == [nil, nil, 1])
    }

    @Test func aRenamedMetricsSourceGetsASecondOne() throws {
        let body = """
            plugins: [{name: mine, type: metrics-data-source}]
            dataLayer: {sources: [{pluginRef: mine}]}
            """
        let completed = try decode(body).applyingDefaults(knownPlugins: testPlugins)
        #expect(completed.dataLayer.sources.map(\.source.name) == ["mine", "metrics-data-source"])
    }

    @Test func defaultsOfUnregisteredTypesAreLeftOut() throws {
        let few: [String: PluginRoles] = ["max-score-picker": .picker, "single-profile-handler": .profileHandler]
        let completed = try decode("").applyingDefaults(knownPlugins: few)
        #expect(completed.plugins.map(\.name) == ["single-profile-handler", "max-score-picker"])
        #expect(completed.parsers.isEmpty)
        #expect(completed.saturationDetector == nil)
        #expect(completed.dataLayer.sources.isEmpty)
    }

    @Test func rolesThatNoTypeHasWarn() throws {
        let body = """
            flowControl: {saturationDetector: {pluginRef: utilization-detector}}
            requestHandler: {parsers: [{pluginRef: openai-parser}]}
            """
        let few: [String: PluginRoles] = ["max-score-picker": .picker, "single-profile-handler": .profileHandler]
        let completed = try decode(body).applyingDefaults(knownPlugins: few)
        #expect(
            completed.warnings.map(\.description) == [
                "epp.yaml:4:29: requestHandler.parsers[0].pluginRef: has no effect: there is no plugin type "
                    + "that is a parser",
                "epp.yaml:3:36: flowControl.saturationDetector.pluginRef: has no effect: there is no plugin "
                    + "type that is "
                    + "a saturation detector",
            ]
        )
    }

    @Test(arguments: ["", "plugins: [{type: queue-scorer}]", "flowControl: {maxRequests: 5}"])
    func applyingDefaultsTwiceChangesNothing(body: String) throws {
        let once = try decode(body).applyingDefaults(knownPlugins: testPlugins)
        let twice = try once.applyingDefaults(knownPlugins: testPlugins)
        #expect(CanonicalPrinter.print(twice) == CanonicalPrinter.print(once))
        #expect(twice.warnings == once.warnings)
    }

    @Test(arguments: [Self.complete, Self.header, Self.header + "featureGates: [flowControl=false]\n"])
    func theCanonicalFormReadsBackToItself(text: String) throws {
        let read = try EndpointPickerConfiguration.decode(text: text, file: "epp.yaml")
        let printed = CanonicalPrinter.print(read)
        let again = try EndpointPickerConfiguration.decode(text: printed, file: "printed.yaml")
        #expect(CanonicalPrinter.print(again) == printed)
        #expect(again.plugins.map(\.parameters) == read.plugins.map(\.parameters))
        #expect(again.isEnabled("flowControl") == read.isEnabled("flowControl"))
    }

    @Test func deprecatedFieldsMoveAndWarn() throws {
        let read = try EndpointPickerConfiguration.decode(
            text: """
                apiVersion: inference.networking.x-k8s.io/v1alpha1
                kind: EndpointPickerConfig
                featureGates: [dataLayer]
                saturationDetector: {pluginRef: concurrency-detector}
                parser: {pluginRef: openai-parser}
                """,
            file: "old.yaml"
        )
        #expect(read.saturationDetector?.name == "concurrency-detector")
        #expect(read.parsers.map(\.name) == ["openai-parser"])
        #expect(read.flowControl == nil)
        #expect(
            read.warnings.map(\.description) == [
                "old.yaml:1:1: apiVersion: inference.networking.x-k8s.io/v1alpha1 is deprecated, write "
                    + "llm-d.ai/v1alpha1",
                #"old.yaml:3:1: featureGates: the gate "dataLayer" has no effect: the feature is always on"#,
                "old.yaml:4:1: saturationDetector: is deprecated, write flowControl.saturationDetector",
                "old.yaml:5:1: parser: is deprecated, write requestHandler.parsers",
            ]
        )
    }

    @Test func settingsWithoutEffectWarn() throws {
        let body = """
            plugins: [{type: queue-scorer}, {type: max-score-picker}, {type: session-id-producer}]
            schedulingProfiles:
            - name: default
              plugins: [{pluginRef: max-score-picker, weight: 2}, {pluginRef: session-id-producer}]
            flowControl: {maxRequests: 5}
            """
        let completed = try decode(body).applyingDefaults(knownPlugins: testPlugins)
        #expect(
            Set(completed.warnings.map(\.description)) == [
                "epp.yaml:6:14: schedulingProfiles[0].plugins[0].pluginRef: the weight has no effect: "
                    + "max-score-picker is "
                    + "not a scorer",
                "epp.yaml:6:56: schedulingProfiles[0].plugins[1].pluginRef: session-id-producer is neither a filter, a "
                    + "scorer nor a picker: it does nothing in a profile",
                #"epp.yaml:7:14: flowControl: has no effect without the feature gate "flowControl""#,
            ]
        )
    }

    @Test(arguments: [
        ("plugins: [{name: a}]", [#"epp.yaml:3:11: plugins[0].type: required field "type" is missing"#]),
        (
            "plugins: [{type: queue-scorr}, {type: queue-scorer, params: {}}]",
            [#"epp.yaml:3:53: plugins[1].params: unknown field "params"; known are type, name, parameters"#]
        ),
        (
            "plugins: [{type: queue-scorr}]",
            [
                #"epp.yaml:3:11: plugins[0].type: plugin type "queue-scorr" is not registered (did you mean "#
                    + #""queue-scorer"?)"#
            ]
        ),
        (
            "plugins: [{type: queue-scorer}, {name: queue-scorer, type: random-picker}]",
            [#"epp.yaml:3:33: plugins[1].name: two plugins are called "queue-scorer""#]
        ),
        (
            "plugins: [{type: queue-scorer}]\nschedulingProfiles: [{name: a, plugins: [{pluginRef: queue-scorrer}]}]",
            [
                #"epp.yaml:4:43: schedulingProfiles[0].plugins[0].pluginRef: no plugin is called "queue-scorrer" "#
                    + #"(did you mean "queue-scorer"?)"#
            ]
        ),
        (
            "plugins: [{type: max-score-picker}, {type: random-picker}]",
            [#"epp.yaml:3:37: plugins[1]: the profile already has the picker "max-score-picker""#]
        ),
        (
            "plugins: [{type: single-profile-handler}, {type: disagg-profile-handler}]",
            [#"epp.yaml:3:43: plugins[1]: there is already the profile handler "single-profile-handler""#]
        ),
        (
            "plugins: [{type: single-profile-handler}]\nschedulingProfiles: [{name: a}, {name: a}]",
            [
                "epp.yaml:3:11: plugins[0]: single-profile-handler runs one profile, there are 2",
                #"epp.yaml:4:33: schedulingProfiles[1].name: two scheduling profiles are called "a""#,
            ]
        ),
        (
            "schedulingProfiles: [{name: a}, {name: b}]",
            ["epp.yaml:3:33: schedulingProfiles: 2 profiles need a profile handler among the plugins"]
        ),
        (
            "featureGates: [flowcontrol, flowControl=maybe]",
            [
                #"epp.yaml:3:16: featureGates[0]: unknown feature gate "flowcontrol" (did you mean "flowControl"?)"#,
                #"epp.yaml:3:29: featureGates[1]: "flowControl=maybe" sets a gate to neither true nor false"#,
            ]
        ),
        (
            "flowControl: {maxBytes: -1, defaultRequestTTL: 60, priorityBands: [{priority: 1}, {priority: 1}, {}]}",
            [
                "epp.yaml:3:25: flowControl.maxBytes: -1 is not at least 0",
                #"epp.yaml:3:48: flowControl.defaultRequestTTL: expected a duration such as "50ms" or "1m30s", "#
                    + #"found 60"#,
                "epp.yaml:3:84: flowControl.priorityBands[1].priority: the priority 1 has two bands",
                #"epp.yaml:3:98: flowControl.priorityBands[2].priority: required field "priority" is missing"#,
            ]
        ),
        (
            "plugins: [{type: queue-scorer}]\nrequestHandler: {parsers: [{pluginRef: queue-scorer}]}",
            [
                #"epp.yaml:4:29: requestHandler.parsers[0].pluginRef: the plugin "queue-scorer" of type "#
                    + #"queue-scorer is "#
                    + "not a parser"
            ]
        ),
        (
            "dataLayer: {sources: [{pluginRef: nothing}]}",
            [#"epp.yaml:3:24: dataLayer.sources[0].pluginRef: no plugin is called "nothing""#]
        ),
        (
            "flowControl: {defaultPriorityBand: {fairnessPolicyRef: mine}}",
            [#"epp.yaml:3:37: flowControl.defaultPriorityBand.fairnessPolicyRef: no plugin is called "mine""#]
        ),
        (
            """
            plugins: [{type: queue-scorer}, {type: edf-ordering-policy}]
            flowControl:
              usageLimitPolicyPluginRef: edf-ordering-policy
              defaultPriorityBand: {fairnessPolicyRef: edf-ordering-policy}
              priorityBands: [{priority: 1, orderingPolicyRef: global-strict-fairness-policy}]
              saturationDetector: {pluginRef: queue-scorer}
            """,
            [
                #"epp.yaml:5:3: flowControl.usageLimitPolicyPluginRef: the plugin "edf-ordering-policy" of type "#
                    + "edf-ordering-policy is not a usage limit policy",
                #"epp.yaml:6:25: flowControl.defaultPriorityBand.fairnessPolicyRef: the plugin "edf-ordering-policy" "#
                    + "of type edf-ordering-policy is not a fairness policy",
                #"epp.yaml:7:33: flowControl.priorityBands[0].orderingPolicyRef: the plugin "#
                    + #""global-strict-fairness-policy" of type global-strict-fairness-policy is not an ordering "#
                    + "policy",
                #"epp.yaml:8:24: flowControl.saturationDetector.pluginRef: the plugin "queue-scorer" of type "#
                    + "queue-scorer is not a saturation detector",
            ]
        ),
        (
            "plugins: [{name: fcfs-ordering-policy, type: queue-scorer}]\nflowControl: {maxRequests: 1}",
            [
                #"epp.yaml:1:1: the plugin "fcfs-ordering-policy" of type queue-scorer is not an ordering policy"#
            ]
        ),
        ("kind: X", [#"epp.yaml:2:1: "kind" is written more than once in one mapping; here is the first"#]),
    ])
    func errors(body: String, expected: [String]) {
        #expect(problems(body) == expected)
    }

    @Test func otherDocumentsAreRefused() {
        let error = #expect(throws: ConfigurationError.self) {
            try EndpointPickerConfiguration.decode(text: "apiVersion: v1\nkind: Pod", file: "x")
        }
        #expect(
            error?.problems.map(\.message) == [
                #""v1" is not one of llm-d.ai/v1alpha1, inference.networking.x-k8s.io/v1alpha1"#,
                #"expected EndpointPickerConfig, found "Pod""#,
            ]
        )
        #expect(throws: ConfigurationError.self) { try EndpointPickerConfiguration.decode(text: "", file: "x") }
    }

    @Test func pickersBelongToPools() throws {
        let named = Self.header + "metadata: {name: llama}\nplugins: [{type: random-picker}]\n"
        let unnamed = Self.header + "plugins: [{type: max-score-picker}]\n"
        let set = try SampleConfiguration.decode(
            [SampleConfiguration.local, named, unnamed].joined(separator: "---\n"))
        #expect(set.endpointPicker(for: ResourceName(name: "llama")).plugins.map(\.type) == ["random-picker"])
        #expect(set.endpointPicker(for: ResourceName(name: "other")).plugins.map(\.type) == ["max-score-picker"])
        let twice = SampleConfiguration.problems([SampleConfiguration.local, named, named].joined(separator: "---\n"))
        #expect(
            twice == [
                "f.yaml:39:1: metadata.name: a second EndpointPickerConfig for the pool default/llama; the first is at "
                    + "f.yaml:34:1"
            ]
        )
        let lost = SampleConfiguration.problems(
            [SampleConfiguration.local, named.replacing("llama", with: "lama")].joined(separator: "---\n")
        )
        #expect(
            lost == [#"f.yaml:34:1: metadata.name: there is no InferencePool default/lama (did you mean "llama"?)"#]
        )
    }
}
