import GatewayConfiguration
import GatewayCore
import Testing

@testable import BuiltinPlugins

/// Builds the pipeline of a configuration in YAML.
private func build(
    _ yaml: String,
    registry: PluginRegistry = BuiltinCatalogue.registry(),
    allowsExperimental: Bool = false
) throws -> PluginPipeline {
    let head = "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n"
    let configuration = try EndpointPickerConfiguration.decode(text: head + yaml, file: "epp.yaml")
    let builder = PipelineBuilder(registry: registry, allowsExperimental: allowsExperimental)
    return try builder.build(configuration, context: PluginContext(clock: SystemMonotonicClock()))
}

/// The problems of a configuration, one line each; empty when it can be built.
private func problems(
    _ yaml: String,
    registry: PluginRegistry = BuiltinCatalogue.registry(),
    allowsExperimental: Bool = false
) -> String {
    do {
        _ = try build(yaml, registry: registry, allowsExperimental: allowsExperimental)
        return ""
    } catch {
        return "\(error)"
    }
}

extension PluginPipeline {
    /// Every order that a pipeline has, as text; implicit plugins have a plus sign.
    fileprivate var outline: String {
        // The default parsers and those of flow control are the same everywhere.
        let names = plugins.filter { !($0.isImplicit && $0.plugin.isDefaultEverywhere) }.map { plugin in
            (plugin.isImplicit ? "+" : "") + plugin.name + (plugin.name == plugin.type ? "" : "(\(plugin.type))")
        }
        let producers = producers.map { type(of: $0.plugin).descriptor.type }
        var lines = ["plugins: " + names.joined(separator: " ")]
        for profile in profiles {
            var parts = ["profile \(profile.name):"]
            parts += profile.filters.map { "filter \($0.name)" }
            parts += profile.scorers.map { "scorer \($0.name)*\($0.weight)" }
            parts.append("picker \(profile.pickerName)")
            lines.append(parts.joined(separator: " "))
        }
        lines.append("handler: \(type(of: handler).descriptor.type)")
        lines.append("producers: \(producers.joined(separator: " "))")
        lines += warnings.map { "warning: \($0)" }
        return lines.joined(separator: "\n")
    }
}

extension Plugin {
    /// Whether defaults make one in every pipeline.
    fileprivate var isDefaultEverywhere: Bool {
        self is any RequestParser || self is any SaturationDetector || self is any FairnessPolicy
            || self is any OrderingPolicy || self is any UsageLimitPolicy
    }
}

@Suite struct PipelineBuilderTests {
    @Test func theBuiltInDefaultBuilds() throws {
        let builder = PipelineBuilder(registry: BuiltinCatalogue.registry())
        let context = PluginContext(clock: SystemMonotonicClock())
        let pipeline = try builder.build(.builtinDefault, context: context)
        #expect(
            pipeline.outline == """
                plugins: queue-scorer kv-cache-utilization-scorer prefix-cache-scorer metrics-data-source \
                core-metrics-extractor +single-profile-handler +max-score-picker +approx-prefix-cache-producer
                profile default: scorer queue-scorer*2.0 scorer kv-cache-utilization-scorer*2.0 \
                scorer prefix-cache-scorer*3.0 picker max-score-picker
                handler: single-profile-handler
                producers: approx-prefix-cache-producer
                """
        )
        #expect(pipeline.preRequests.count == 1)
        #expect(pipeline.endpointObservers.count == 1)
        #expect(pipeline.slotCount == 2)
    }

    @Test(arguments: [
        // Nothing at all: a profile that picks at random among equals.
        (
            "",
            """
            plugins: +single-profile-handler +max-score-picker +metrics-data-source +core-metrics-extractor
            profile default: picker max-score-picker
            handler: single-profile-handler
            producers:\u{20}
            """
        ),
        // Without profiles one holds every plugin, in the order of the file.
        (
            """
            plugins:
            - type: random-picker
            - {type: queue-scorer, name: queue}
            - {type: label-selector-filter, name: second, parameters: {matchLabels: {a: b}}}
            - {type: label-selector-filter, name: first}
            dataLayer: {injectDefaults: false}
            """,
            """
            plugins: random-picker queue(queue-scorer) second(label-selector-filter) first(label-selector-filter) \
            +single-profile-handler
            profile default: filter second filter first scorer queue*1.0 picker random-picker
            handler: single-profile-handler
            producers:\u{20}
            """
        ),
        // The order of a profile is its own, and a profile without a picker gets the first one.
        (
            """
            plugins:
            - {type: prefix-cache-scorer, name: prefix, parameters: {prefixMatchInfoProducerName: mine}}
            - type: lora-affinity-scorer
            - type: weighted-random-picker
            - type: max-score-picker
            - {type: approx-prefix-cache-producer, name: mine, parameters: {autoTune: false}}
            - type: single-profile-handler
            - type: metrics-data-source
            - type: core-metrics-extractor
            schedulingProfiles:
            - name: only
              plugins: [{pluginRef: lora-affinity-scorer}, {pluginRef: prefix, weight: 2.5}]
            """,
            """
            plugins: prefix(prefix-cache-scorer) lora-affinity-scorer weighted-random-picker max-score-picker \
            mine(approx-prefix-cache-producer) single-profile-handler metrics-data-source core-metrics-extractor
            profile only: scorer lora-affinity-scorer*1.0 scorer prefix*2.5 picker weighted-random-picker
            handler: single-profile-handler
            producers: approx-prefix-cache-producer
            warning: epp.yaml:7:3: plugins[3]: has no effect: no profile refers to 'max-score-picker'
            """
        ),
        // What has no effect is said.
        (
            """
            plugins:
            - {type: max-score-picker, parameters: {maxNumOfEndpoints: 0}}
            - type: approx-prefix-cache-producer
            - type: queue-scorer
            - type: running-requests-size-scorer
            dataLayer: {injectDefaults: false}
            schedulingProfiles:
            - name: default
              plugins:
              - {pluginRef: max-score-picker, weight: 2}
              - {pluginRef: approx-prefix-cache-producer}
              - {pluginRef: queue-scorer, weight: 0}
            """,
            """
            plugins: max-score-picker approx-prefix-cache-producer queue-scorer running-requests-size-scorer \
            +single-profile-handler
            profile default: scorer queue-scorer*0.0 picker max-score-picker
            handler: single-profile-handler
            producers: approx-prefix-cache-producer
            warning: epp.yaml:12:6: schedulingProfiles[0].plugins[0].pluginRef: the weight has no effect: \
            max-score-picker is not a scorer
            warning: epp.yaml:13:6: schedulingProfiles[0].plugins[1].pluginRef: approx-prefix-cache-producer is \
            neither a filter, a scorer nor a picker: it does nothing in a profile
            warning: epp.yaml:4:41: plugins[0].parameters.maxNumOfEndpoints: 0 means 1
            warning: epp.yaml:7:3: plugins[3]: has no effect: no profile refers to 'running-requests-size-scorer'
            """
        ),
    ])
    func goodConfigurations(yaml: String, outline: String) throws {
        #expect(try build(yaml).outline == outline)
    }

    @Test(arguments: [
        (
            "plugins: [{type: queue-scorrer}, {type: queue-scorer, name: q}]",
            """
            epp.yaml:3:11: plugins[0].type: plugin type 'queue-scorrer' is not registered \
            (did you mean "queue-scorer"?)
            """
        ),
        (
            "plugins: [{type: precise-prefix-cache-producer}, {type: k8s-notification-source, name: d}]",
            """
            epp.yaml:3:11: plugins[0].type: plugin type 'precise-prefix-cache-producer' cannot be used: this release \
            does not read the engines' KV-cache events
            epp.yaml:3:50: plugins[1].type: plugin type 'k8s-notification-source' cannot be used: this release does \
            not watch a cluster
            """
        ),
        (
            "plugins: [{type: decode-filtre}]",
            """
            epp.yaml:3:11: plugins[0].type: plugin type 'decode-filtre' is not registered \
            (did you mean "decode-filter"?)
            """
        ),
        (
            "plugins: [{type: queue-scorer, name: a}, {type: random-picker, name: a}]",
            "epp.yaml:3:42: plugins[1].name: two plugins are called \"a\""
        ),
        (
            """
            plugins:
            - {type: queue-scorer, parameters: {threshold: 1}}
            - {type: max-score-picker, parameters: {maxNumEndpoints: 1}}
            """,
            """
            epp.yaml:4:37: plugins[0].parameters.threshold: unknown field "threshold"; no field is known here
            epp.yaml:5:41: plugins[1].parameters.maxNumEndpoints: unknown field "maxNumEndpoints" \
            (did you mean "maxNumOfEndpoints"?)
            """
        ),
        (
            """
            plugins: [{type: queue-scorer}, {type: max-score-picker}, {type: random-picker}]
            schedulingProfiles:
            - {name: a, plugins: [{pluginRef: queue-score}, {pluginRef: max-score-picker}, {pluginRef: random-picker}]}
            """,
            """
            epp.yaml:5:24: schedulingProfiles[0].plugins[0].pluginRef: no plugin is called "queue-score" \
            (did you mean "queue-scorer"?)
            epp.yaml:5:81: schedulingProfiles[0].plugins[2].pluginRef: the profile already has the picker \
            "max-score-picker"
            """
        ),
        (
            "plugins: [{type: queue-scorer}]\nschedulingProfiles: [{name: a, plugins: [{pluginRef: queue-scorer},"
                + " {pluginRef: queue-scorer, weight: 2}, {pluginRef: max-score-picker, weight: 1}]}]",
            """
            epp.yaml:4:70: schedulingProfiles[0].plugins[1].pluginRef: the profile refers to 'queue-scorer' twice
            """
        ),
        (
            "plugins: [{type: queue-scorer}]\nschedulingProfiles: [{name: a, plugins: [{pluginRef: queue-scorer,"
                + " weight: 1e300}]}]",
            "epp.yaml:4:43: schedulingProfiles[0].plugins[0].pluginRef: the weight 1e+300 is not in -1e9 to 1e9"
        ),
        (
            "schedulingProfiles: [{name: a}, {name: b}]",
            "epp.yaml:3:33: schedulingProfiles: 2 profiles need a profile handler among the plugins"
        ),
        (
            "plugins: [{type: single-profile-handler}]\nschedulingProfiles: [{name: a}, {name: a}]",
            """
            epp.yaml:3:11: plugins[0]: single-profile-handler runs one profile, there are 2
            epp.yaml:4:33: schedulingProfiles[1].name: two scheduling profiles are called "a"
            """
        ),
        (
            """
            plugins:
            - {type: approx-prefix-cache-producer, name: gpu}
            - {type: prefix-cache-scorer, parameters: {prefixMatchInfoProducerName: cpu}}
            """,
            """
            epp.yaml:5:3: plugins[1]: no default producer found for missing data key 'PrefixCacheMatchInfo/cpu', which \
            plugin 'prefix-cache-scorer' requires (did you mean "PrefixCacheMatchInfo/gpu"?)
            """
        ),
        (
            "plugins: [{type: prefix-cache-scorer}, {type: queue-scorer, name: approx-prefix-cache-producer}]",
            """
            epp.yaml:3:40: plugins[1]: the plugin 'approx-prefix-cache-producer' of type 'queue-scorer' does not \
            produce the missing data key 'PrefixCacheMatchInfo/approx-prefix-cache-producer', which plugin \
            'prefix-cache-scorer' requires
            """
        ),
    ])
    func badConfigurations(yaml: String, text: String) {
        #expect(problems(yaml) == text)
    }

    @Test func anotherTypesDefaultsAreNotNeeded() {
        var registry = PluginRegistry()
        registry.register(QueueScorer.self)
        #expect(problems("", registry: registry).contains("has no picker"))
        registry.register(RandomPicker.self)
        let onlyPicker = problems("plugins: [{type: random-picker}]", registry: registry)
        #expect(onlyPicker.contains("no profile handler configured"))
        registry.register(PrefixCacheScorer.self)
        registry.register(SingleProfileHandler.self)
        let text = problems("plugins: [{type: random-picker}, {type: prefix-cache-scorer}]", registry: registry)
        #expect(text.contains("no default producer found for missing data key 'PrefixCacheMatchInfo/approx-prefix"))
    }

    @Test func twoBuildsGiveTheSamePipeline() throws {
        let yaml = """
            plugins:
            - {type: prefix-cache-scorer, name: p1}
            - {type: prefix-cache-scorer, name: p2, parameters: {prefixMatchInfoProducerName: second}}
            - {type: approx-prefix-cache-producer, name: second}
            - {type: label-selector-filter, name: f2}
            - {type: label-selector-filter, name: f1}
            - type: queue-scorer
            - type: kv-cache-utilization-scorer
            - type: running-requests-size-scorer
            - type: lora-affinity-scorer
            """
        let outline = try build(yaml).outline
        for _ in 0..<10 { #expect(try build(yaml).outline == outline) }
        #expect(outline.contains("filter f2 filter f1 scorer p1*1.0 scorer p2*1.0 scorer queue-scorer*1.0"))
        #expect(try build(yaml).slotCount == 3)
    }

    @Test func everyRoleOfAPluginIsUsed() throws {
        var registry = BuiltinCatalogue.registry()
        registry.register(ManySided.self)
        let pipeline = try build("plugins: [{type: many-sided}]", registry: registry)
        #expect(pipeline.profiles[0].filters.map(\.name) == ["many-sided"])
        #expect(pipeline.profiles[0].scorers.map(\.name) == ["many-sided"])
        #expect(pipeline.profiles[0].pickerName == "max-score-picker")
    }

    @Test func alphaPluginsNeedTheirFlag() throws {
        var registry = BuiltinCatalogue.registry()
        registry.register(AlphaPicker.self)
        let yaml = "plugins: [{type: alpha-picker}]"
        #expect(
            problems(yaml, registry: registry) == """
                epp.yaml:3:11: plugins[0].type: plugin type 'alpha-picker' has alpha stability, which needs \
                --allow-experimental-plugins
                """
        )
        #expect(problems(yaml, registry: registry, allowsExperimental: true) == "")
    }
}

// MARK: - Data between plugins

@Suite struct PipelineDataTests {
    private var registry: PluginRegistry {
        var registry = BuiltinCatalogue.registry()
        registry.register(Link.self)
        registry.register(DefaultLink.self)
        registry.register(LinkReader.self)
        return registry
    }

    private func names(_ yaml: String) throws -> [String] {
        try build(yaml, registry: registry).producers.map(\.name)
    }

    @Test func producersRunBehindWhatTheyRead() throws {
        let yaml = """
            plugins:
            - {type: link, name: d, parameters: {reads: [b, c]}}
            - {type: link, name: c, parameters: {reads: [a]}}
            - {type: link, name: e}
            - {type: link, name: b, parameters: {reads: [a]}}
            - {type: link, name: a}
            """
        #expect(try names(yaml) == ["e", "a", "c", "b", "d"])
    }

    @Test func withoutDependenciesTheOrderIsThatOfTheFile() throws {
        let yaml = "plugins: [{type: link, name: z}, {type: link, name: a}, {type: link, name: m}]"
        #expect(try names(yaml) == ["z", "a", "m"])
    }

    @Test func missingProducersAreMadeUntilNoneIsMissing() throws {
        // The reader needs data of `link`, which by itself needs data of `default-link`.
        let pipeline = try build("plugins: [{type: link-reader}]", registry: registry)
        #expect(pipeline.producers.map { type(of: $0.plugin).descriptor.type } == ["default-link", "link"])
        #expect(pipeline.plugins.filter(\.isImplicit).map(\.name).suffix(2) == ["link", "default-link"])
    }

    @Test func circlesAreErrors() {
        let yaml = """
            plugins:
            - {type: link, name: free}
            - {type: link, name: a, parameters: {reads: [b]}}
            - {type: link, name: b, parameters: {reads: [c]}}
            - {type: link, name: c, parameters: {reads: [a, free]}}
            """
        #expect(
            problems(yaml, registry: registry)
                == "epp.yaml:5:3: plugins[1]: the data producers 'a', 'b', 'c' wait for each other's data"
        )
    }

    @Test func aProducerOfItsOwnInputIsACircle() {
        let yaml = "plugins: [{type: link, name: a, parameters: {reads: [a]}}]"
        #expect(problems(yaml, registry: registry).contains("the data producers 'a' wait for each other's data"))
    }

    @Test func optionalDataIsMissedWithAWarning() throws {
        let yaml = "plugins: [{type: link, name: a, parameters: {mayRead: [gone, b]}}, {type: link, name: b}]"
        let pipeline = try build(yaml, registry: registry)
        #expect(
            pipeline.warnings.map(\.message) == ["plugin 'a' does without the data 'Link/gone', which nothing produces"]
        )
        #expect(try names(yaml) == ["b", "a"])
    }
}

private let linkKey = DataKey<Int>("Link", defaultProducer: "link")
private let defaultLinkKey = DataKey<Int>("DefaultLink", defaultProducer: "default-link")

/// A producer that reads what its parameters say; without any, `default-link`.
private struct Link: DataProducer {
    static let descriptor = PluginDescriptor(type: "link", summary: "")
    let name: String
    let writer: DataWriter<Int>
    var readers: [DataReader<Int>] = []

    init(parameters: ParameterDecoder, context: inout PluginContext) {
        name = context.pluginName
        writer = context.produce(linkKey)
        readers = parameters.strings("reads").map { context.consume(linkKey, producer: $0) }
        readers += parameters.strings("mayRead").map { context.consume(linkKey, producer: $0, requirement: .optional) }
        if name == "link" { readers.append(context.consume(defaultLinkKey)) }
    }

    func produce(for candidates: Candidates, context: inout SchedulingContext) {
        context.scratch[writer] = readers.reduce(1) { $0 + (context.scratch[$1] ?? 0) }
    }
}

private struct DefaultLink: DataProducer {
    static let descriptor = PluginDescriptor(type: "default-link", summary: "")
    let name: String
    let writer: DataWriter<Int>

    init(parameters: ParameterDecoder, context: inout PluginContext) {
        name = context.pluginName
        writer = context.produce(defaultLinkKey)
    }

    func produce(for candidates: Candidates, context: inout SchedulingContext) { context.scratch[writer] = 1 }
}

private struct LinkReader: Scorer {
    static let descriptor = PluginDescriptor(type: "link-reader", summary: "")
    let reader: DataReader<Int>

    init(parameters: ParameterDecoder, context: inout PluginContext) { reader = context.consume(linkKey) }

    func score(_ candidates: Candidates, context: SchedulingContext, into scores: inout MutableSpan<Double>) {}
}

private struct ManySided: Filter, Scorer {
    static let descriptor = PluginDescriptor(type: "many-sided", summary: "")

    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {}

    func score(_ candidates: Candidates, context: SchedulingContext, into scores: inout MutableSpan<Double>) {}
}

private struct AlphaPicker: Picker {
    static let descriptor = PluginDescriptor(type: "alpha-picker", stability: .alpha, summary: "")

    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func pick(_ candidates: Candidates, scores: Span<Double>, context: inout SchedulingContext) -> [Int] { [0] }
}
