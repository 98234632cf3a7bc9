import GatewayCore
import GatewayTesting
import Synchronization
import Testing

@testable import BuiltinPlugins

@Suite struct ConformanceTests {
    /// The parameters of the types that cannot do without.
    private static let required: [String: ConfigurationValue] = [
        "file-discovery": ["path": "endpoints.yaml"],
        "priority-holdback-policy": ["minCeiling": 0.5],
        "request-attribute-reporter": [
            "attributes": [["key": ["name": "cost"], "expression": "usage.total_tokens * 9"]]
        ],
        "utilization-filter": ["conditions": [["metric": "kv-cache-utilization", "maxValue": 0.5]]],
        "endpoint-attribute-filter": [
            "attribute": "KVCacheUsagePercent",
            "algorithm": ["type": "threshold", "threshold": ["operator": "LessThan", "value": 0.5]],
        ],
        "endpoint-attribute-scorer": [
            "attributeKey": "KVCacheUsagePercent", "algorithm": ["type": "linear_lower_is_better"],
        ],
        "by-label": ["label": "role", "validValues": ["decode"]],
        "header-label-affinity-scorer": ["headerName": "x-slice", "labelKey": "slice"],
        "session-id-producer": ["headerName": "x-session-id"],
        "disaggregatedset-rollout-screener": [
            "scope": ["labelSelector": "set=s"], "revisionGating": ["mode": "disabled"],
        ],
    ]

    /// The types that the default parameters of a type refer to.
    private static let companions: [String: [String]] = ["pd-profile-handler": ["prefix-based-pd-decider"]]

    /// The profiles of the handlers that ask for them by name.
    private static let profiles: [String: [String]] = [
        "disagg-profile-handler": ["decode", "prefill", "encode"], "disagg-headers-handler": ["decode", "prefill"],
        "pd-profile-handler": ["prefill", "decode"], "header-profile-handler": ["other", "decode"],
    ]

    private static let available = BuiltinCatalogue.registry().entries.map(\.descriptor)
        .filter { $0.obstacle == nil }.map(\.type)

    @Test(arguments: available)
    func everyBuiltInPluginConforms(type: String) {
        let conformance = PluginConformance(
            registry: BuiltinCatalogue.registry(),
            type: type,
            parameters: Self.required[type],
            companions: Self.companions[type] ?? [],
            profiles: Self.profiles[type] ?? ["default"]
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
            ("prefix-cache-affinity-filter", ["explorationProbability": 0.5, "maxTTFTPenaltyMs": 0]),
            ("no-hit-lru-scorer", ["lruSize": 1]),
            (
                "burst-prefix-cache-producer",
                ["minColocateBlocks": 1, "balanceBy": "tokens", "maxPerReplica": 1, "maxBatchSize": 3]
            ),
            ("mm-embeddings-cache-producer", ["cacheSizeInMBPerServer": 1]),
            ("token-producer", ["estimate": ["video": ["frames": ["mode": "strided"]]]]),
            ("inflight-load-producer", ["addEstimatedOutputTokens": true, "outputRatio": 1e300]),
            ("active-request-scorer", ["idleThreshold": 3, "maxBusyScore": 0.5]),
            ("load-aware-scorer", ["threshold": 1]),
            ("token-load-scorer", ["queueThresholdTokens": 1]),
            (
                "endpoint-attribute-scorer",
                ["attributeKey": "WaitingQueueSize", "algorithm": ["type": "linear_higher_is_better"]]
            ),
            ("context-length-aware", ["enableFiltering": true]),
            ("session-affinity-filter", ["strategy": "session_id"]),
            ("session-affinity-scorer", ["strategy": "session_id", "profileName": "prefill"]),
        ]
        for (type, value) in parameters {
            let conformance = PluginConformance(registry: BuiltinCatalogue.registry(), type: type, parameters: value)
            #expect(conformance.violations() == [], "\(type)")
        }
    }

    @Test(
        arguments: [
            ["deciders": ["prefill": "always-disagg-pd-decider", "encode": "always-disagg-pd-decider"]],
            ["stageOrder": "prefill-first", "deciders": ["encode": "always-disagg-pd-decider"]],
            [
                "profiles": ["decode": "encode", "encode": "decode"],
                "deciders": ["prefill": "always-disagg-pd-decider"],
            ],
        ] as [ConfigurationValue],
        [["decode", "prefill", "encode"], ["encode", "decode"], ["prefill", "decode", "encode"]])
    func handlersKeepTheirPromisesWithDeciders(parameters: ConfigurationValue, profiles: [String]) {
        let conformance = PluginConformance(
            registry: BuiltinCatalogue.registry(),
            type: "disagg-profile-handler",
            parameters: parameters,
            companions: ["always-disagg-pd-decider"],
            profiles: profiles
        )
        #expect(conformance.violations() == [])
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
            "picks nobody", "asks for profile 'default' twice", "both sets and removes the header 'x'",
            "the detector says nan", "the admitter is not deterministic",
        ] {
            #expect(found.contains(fault), "\(fault)")
        }
    }

    @Test(arguments: [
        ("charge", "the fairness policy charges nan"), ("place", "the fairness policy chooses flow"),
        ("chance", "the fairness policy is not deterministic"), ("rank", "the ordering policy is not deterministic"),
        ("few", "gives 0 ceilings for 1 priorities"), ("negative", "gives -1.0, which is not 0 or more"),
        ("uniform", "says that every ceiling is 2.0"), ("order", "before each other"),
        ("circle", "the eviction policy's order is not transitive"), ("room", "less full with more on its way"),
        ("unheard", "only with something on its way"), ("void", "calls an endpoint nan full"),
    ])
    func theSuiteFindsFaultsOfFlowControl(fault: String, message: String) {
        var registry = PluginRegistry()
        registry.register(BrokenPolicy.self)
        let parameters = ConfigurationValue(
            .object([.init(key: "fault", keyPosition: .builtin, value: .init(stringLiteral: fault))])
        )
        let suite = PluginConformance(registry: registry, type: "broken-policy", parameters: parameters)
        #expect(suite.violations().joined(separator: "\n").contains(message))
    }

    @Test func aPolicyWithoutFaultsConforms() {
        var registry = PluginRegistry()
        registry.register(BrokenPolicy.self)
        #expect(PluginConformance(registry: registry, type: "broken-policy").violations() == [])
    }

    @Test func theSuiteFindsFaultsBeforeAndBehindTheChoice() {
        var registry = PluginRegistry()
        registry.register(BrokenEdges.self)
        let found = PluginConformance(registry: registry, type: "broken-edges").violations().joined(separator: "\n")
        for fault in [
            "the screener adds candidates", "the agent of a request is empty", "the load has -1 tokens",
            "the load is not deterministic", "'a b' is not the name of a response field",
            "the value of the response field 'x' cannot stand in a header",
        ] {
            #expect(found.contains(fault), "\(fault)")
        }
    }

    @Test func theSuiteFindsFaultsOfParsers() {
        for (fault, body) in [
            ("the parser refuses the body 0", "r"), ("the prompt ends at 9 of 1 bytes", "p"),
            ("the parser is not deterministic", "d"), ("the model's range 0..<4 is not in a body of 1 bytes", "m234"),
        ] {
            var registry = PluginRegistry()
            registry.register(BrokenParser.self)
            let suite = PluginConformance(registry: registry, type: "broken-parser", bodies: [Array(body.utf8)])
            #expect(suite.violations().joined().contains(fault))
        }
    }
}

/// Breaks a promise by the first byte of the body.
private final class BrokenParser: BodyParser {
    static let descriptor = PluginDescriptor(type: "broken-parser", summary: "Breaks promises.")

    let pathSuffixes = ["broken"]
    private let calls = Atomic(0)

    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func parse(_ body: RawSpan, headers: HeaderMap, path: Substring) throws(Rejection) -> ParsedRequest {
        switch body.withUnsafeBytes(\.first) {
        case UInt8(ascii: "r"): throw Rejection(.invalidRequest, "no")
        case UInt8(ascii: "p"): return ParsedRequest(promptRanges: [0..<9])
        case UInt8(ascii: "d"): return ParsedRequest(inputTokens: calls.add(1, ordering: .relaxed).newValue)
        case UInt8(ascii: "m"): return ParsedRequest(model: "m", modelRange: 0..<4)
        default: return ParsedRequest()
        }
    }
}

/// Breaks the promise that its parameter says.
private struct BrokenPolicy: FairnessPolicy, OrderingPolicy, UsageLimitPolicy, EvictionPolicy, SaturationDetector {
    static let descriptor = PluginDescriptor(type: "broken-policy", summary: "Breaks promises.")

    private let fault: String

    init(parameters: ParameterDecoder, context: inout PluginContext) {
        fault = parameters.string("fault", default: "")
    }

    private struct State: FairnessState {
        let fault: String

        mutating func add(flow: Int, id: String) {}

        mutating func remove(flow: Int) {}

        mutating func next(among waiting: [WaitingFlow], now: MonotonicInstant) -> Int {
            switch fault {
            case "place": waiting.count
            case "chance": .random(in: 0..<waiting.count)
            default: 0
            }
        }

        mutating func dispatched(flow: Int, uncachedTokens: Int, now: MonotonicInstant) -> Double {
            fault == "charge" ? .nan : 0
        }
    }

    func makeState() -> any FairnessState { State(fault: fault) }

    func rank(of request: QueuedRequest) -> OrderingRank {
        OrderingRank(fault == "rank" ? .random(in: 0 ... .max) : 0)
    }

    var uniformCeiling: Double? { fault == "uniform" ? 2 : nil }

    func ceilings(at saturation: Double, priorities: [Int], cycle: UInt64) -> [Double] {
        if fault == "few" { return [] }
        return priorities.map { _ in fault == "negative" ? -1 : 1 }
    }

    func evicts(_ left: RunningRequest, before right: RunningRequest) -> Bool? {
        switch fault {
        case "order": true
        case "circle":
            // Of the priorities -1, 0 and 1 each goes before the next, and the last before the first.
            abs(left.priority.signum() - right.priority.signum()) == 0
                ? nil : (left.priority.signum() + 4 - right.priority.signum()) % 3 == 0
        default: nil
        }
    }

    func saturation(of candidates: Candidates, now: MonotonicInstant) -> Double { 1 }

    func fullness(of endpoint: EndpointSnapshot, adding pending: PendingLoad, now: MonotonicInstant) -> Double? {
        switch fault {
        case "room": max(0, 5 - pending.requests)
        case "unheard": pending.requests > 0 ? 1 : nil
        case "void": .nan
        default: 1
        }
    }
}

/// Breaks the promises of what acts before and behind the choice.
private final class BrokenEdges: Screener, AgentIdentifier, LoadEstimator, ResponseHeaderProcessor {
    static let descriptor = PluginDescriptor(type: "broken-edges", summary: "Breaks promises.")

    private let calls = Atomic(0)

    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func screen(_ candidates: inout Candidates, context: inout SchedulingContext) {
        candidates = .sample(count: candidates.count + 1)
    }

    func agent(in headers: HeaderMap) -> String? { "" }

    func load(of context: SchedulingContext, on endpoint: EndpointSnapshot) -> LoadEstimate {
        var load = LoadEstimate(tokens: 0)
        load.tokens = calls.add(1, ordering: .relaxed).newValue.isMultiple(of: 2) ? 0 : -1
        return load
    }

    func responseFields(of response: ServedResponse) -> [HeaderMutation.Field] {
        [.init(name: "a b", value: ""), .init(name: "x", value: "a\r\nb")]
    }
}

/// Breaks the promises of profiles, and of what else acts on candidates.
private struct BrokenPlugin: Filter, Scorer, Picker, ProfileHandler, SaturationDetector, Admitter, PreRequest {
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

    func saturation(of candidates: Candidates, now: MonotonicInstant) -> Double { .nan }

    func admit(_ candidates: Candidates, context: inout SchedulingContext) throws(Rejection) {
        throw Rejection(.saturated, "\(UInt64.random(in: 0...(.max)))")
    }

    func willSend(_ decision: SchedulingDecision, context: inout SchedulingContext) {
        context.requestHeaders = HeaderMutation(set: [.init(name: "x", value: "y")], remove: ["X"])
    }

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
