import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

@Suite struct ConformanceTests {
    /// The parameters of the types that cannot do without.
    private static let required: [String: ConfigurationValue] = [
        "file-discovery": ["path": "endpoints.yaml"],
        "by-label": ["label": "role", "validValues": ["decode"]],
        "header-label-affinity-scorer": ["headerName": "x-slice", "labelKey": "slice"],
        "session-id-producer": ["headerName": "x-session-id"],
        "disaggregatedset-rollout-screener": [
            "scope": ["labelSelector": "set=s"], "revisionGating": ["mode": "disabled"],
        ],
    ]

    private static let available = BuiltinCatalogue.registry().entries.map(\.descriptor)
        .filter { $0.obstacle == nil }.map(\.type)

    @Test(arguments: available)
    func everyBuiltInPluginConforms(type: String) {
        let conformance = PluginConformance(
            registry: BuiltinCatalogue.registry(),
            type: type,
            parameters: Self.required[type]
        )
        #expect(conformance.violations() == [])
    }

    @Test func parametersMakeNoDifference() {
        let parameters: [(String, ConfigurationValue)] = [
            ("max-score-picker", ["maxNumOfEndpoints": 3]),
            ("weighted-random-picker", ["maxNumOfEndpoints": 200]),
            ("random-picker", ["maxNumOfEndpoints": 200]),
            ("prefix-cache-scorer", ["matchLengthWeight": 1, "matchLengthScaleTokens": 1]),
            ("approx-prefix-cache-producer", ["autoTune": false, "lruCapacityPerServer": 1]),
            ("label-selector-filter", ["matchLabels": ["a": "b"]]),
            ("context-length-aware", ["enableFiltering": true]),
            ("session-affinity-filter", ["strategy": "session_id"]),
            ("session-affinity-scorer", ["strategy": "session_id", "profileName": "prefill"]),
        ]
        for (type, value) in parameters {
            let conformance = PluginConformance(registry: BuiltinCatalogue.registry(), type: type, parameters: value)
            #expect(conformance.violations() == [], "\(type)")
        }
    }

    @Test func everyTypeIsDescribed() {
        for entry in BuiltinCatalogue.registry().entries { #expect(entry.descriptor.summary.hasSuffix(".")) }
    }

    /// A suite that finds nothing in a broken plugin would prove nothing.
    @Test func theSuiteFindsFaults() {
        var registry = PluginRegistry()
        registry.register(BrokenPlugin.self)
        let found = PluginConformance(registry: registry, type: "broken-plugin").violations().joined(separator: "\n")
        for fault in [
            "accepts the unknown parameter", "gives 2.0", "scorer is not deterministic", "adds candidates",
            "picks nobody", "asks for [0] after its only profile ran",
        ] {
            #expect(found.contains(fault), "\(fault)")
        }
    }
}

/// Breaks every promise that the suite checks.
private struct BrokenPlugin: Filter, Scorer, Picker, ProfileHandler {
    static let descriptor = PluginDescriptor(type: "broken-plugin", summary: "")

    init(parameters: ParameterDecoder, context: inout PluginContext) {
        for key in parameters.keys { _ = parameters.value(key) }
    }

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {
        candidates = .sample(count: candidates.count + 1)
    }

    func score(_ candidates: Candidates, context: SchedulingContext, into scores: inout MutableSpan<Double>) {
        for index in scores.indices { scores[index] = index == 0 ? 2 : .random(in: 0...1) }
    }

    func pick(_ candidates: Candidates, scores: Span<Double>, context: inout SchedulingContext) -> [Int] { [] }

    func nextProfiles(_ profiles: [String], progress: [ProfileProgress], context: inout SchedulingContext) -> [Int] {
        [0]
    }

    func decide(
        _ profiles: [String],
        progress: [ProfileProgress],
        context: inout SchedulingContext
    ) throws(Rejection) -> SchedulingDecision {
        throw Rejection(.internalError, "never")
    }
}
