import GatewayCore
import GatewayTesting
import RequestFormats
import Testing

@testable import BuiltinPlugins

private typealias Extra = (type: String, parameters: ConfigurationValue?)

private let always: Extra = ("always-disagg-pd-decider", nil)
private let media: Extra = ("always-disagg-multimodal-decider", nil)
private let withMedia = PromptTokens(
    count: 10,
    features: [PromptTokens.Feature(modality: .image, hash: 1, tokens: 0..<4, bytes: 0..<16)]
)

@Suite struct DisaggregatedProfileHandlerTests {
    private let deciders: ConfigurationValue = [
        "prefill": "always-disagg-pd-decider", "encode": "always-disagg-multimodal-decider",
    ]

    @Test func withoutDecidersOnlyDecodeRuns() throws {
        var pool = try DisaggregatedPool()
        let decision = try pool.schedule()
        #expect(decision.endpoint.id.name == "decode-0" && decision.secondary.isEmpty)
        #expect(decision.kind?.name == "decode-only")
        #expect(pool.log.lines == ["decode near nobody"])
        #expect(pool.headers == ["x-prefiller-host-port": nil, "x-encoder-hosts-ports": nil])
    }

    @Test func theDecodeWorkerIsThePeerOfTheOthers() throws {
        var pool = try DisaggregatedPool(
            "disagg-profile-handler", ["deciders": deciders], picks: 2, plugins: [always, media], tokens: withMedia)
        let decision = try pool.schedule()
        #expect(decision.endpoint.id.name == "decode-0")
        #expect(decision.prefill?.endpoints[0].id.name == "prefill-0")
        #expect(decision.secondary.map(\.profile) == ["encode", "prefill"])
        #expect(
            decision.kind
                == DecisionKind(
                    pluginName: "disagg-profile-handler",
                    pluginType: "disagg-profile-handler",
                    name: "encode-prefill-decode"
                )
        )
        #expect(pool.log.lines == ["decode near nobody", "encode near decode-0", "prefill near decode-0"])
        #expect(
            pool.headers == [
                "x-prefiller-host-port": "10.0.0.3:8000", "x-encoder-hosts-ports": "10.0.0.5:8000,10.0.0.6:8000",
            ]
        )
    }

    @Test func promptsWithoutMediaNeedNoEncoder() throws {
        var pool = try DisaggregatedPool(
            "disagg-profile-handler", ["deciders": deciders], plugins: [always, media], tokens: PromptTokens(count: 10))
        let decision = try pool.schedule()
        #expect(decision.secondary.map(\.profile) == ["prefill"] && decision.kind?.name == "prefill-decode")
        #expect(pool.headers["x-encoder-hosts-ports"] == .some(nil))
    }

    @Test func aHelperThatIsNotThereIsNoFault() throws {
        var pool = try DisaggregatedPool(
            "disagg-profile-handler", ["deciders": deciders], plugins: [always, media], tokens: withMedia)
        let alone = try pool.schedule(without: ["prefill"])
        #expect(alone.secondary.map(\.profile) == ["encode"] && alone.kind?.name == "encode-decode")
        #expect(alone.prefill == nil)
        #expect(pool.headers["x-prefiller-host-port"] == .some(nil))
    }

    @Test(arguments: ["decode-first", "prefill-first"])
    func withoutADecodeWorkerTheRequestIsRefused(order: String) throws {
        let parameters: ConfigurationValue = [
            "stageOrder": ConfigurationValue(.string(order)), "profiles": ["decode": "decode"],
        ]
        var pool = try DisaggregatedPool("disagg-profile-handler", parameters)
        let message = "failed to find available decode workers: the profile 'decode' left no endpoint"
        #expect(throws: Rejection(.saturated, message)) { try pool.schedule(without: ["decode"]) }
        #expect(pool.log.lines.contains("prefill near nobody") == (order == "prefill-first"))
    }

    @Test func prefillFirstAlwaysHasAPrefillWorkerAndDecodesNearIt() throws {
        let parameters: ConfigurationValue = [
            "stageOrder": "Prefill_First", "deciders": ["encode": "always-disagg-multimodal-decider"],
        ]
        var pool = try DisaggregatedPool("disagg-profile-handler", parameters, plugins: [media], tokens: withMedia)
        let decision = try pool.schedule()
        #expect(decision.primary.profile == "decode")
        #expect(decision.secondary.map(\.profile) == ["prefill", "encode"])
        #expect(pool.log.lines == ["prefill near nobody", "encode near prefill-0", "decode near prefill-0"])
        // On a retry the worker of the attempt before is not near to anything.
        _ = try pool.schedule(without: ["prefill"])
        #expect(pool.log.lines.suffix(3) == ["prefill near nobody", "encode near nobody", "decode near nobody"])
    }

    @Test func aRetryOfDecodeFirstForgetsThePeer() throws {
        var pool = try DisaggregatedPool(
            "disagg-profile-handler", ["deciders": ["prefill": "always-disagg-pd-decider"]], plugins: [always])
        _ = try pool.schedule()
        _ = try pool.schedule(without: ["decode-0"])
        #expect(pool.log.lines.suffix(2) == ["decode near nobody", "prefill near decode-1"])
    }

    @Test func profilesMayHaveOtherNames() throws {
        let parameters: ConfigurationValue = [
            "profiles": ["decode": "prefill", "prefill": "decode"],
            "deciders": ["prefill": "always-disagg-pd-decider"],
        ]
        var pool = try DisaggregatedPool("disagg-profile-handler", parameters, plugins: [always])
        let decision = try pool.schedule()
        #expect(decision.endpoint.id.name == "prefill-0")
        #expect(decision.prefill?.endpoints[0].id.name == "decode-0")
        #expect(pool.headers["x-prefiller-host-port"] == "10.0.0.1:8000")
    }

    @Test func theDecisionSaysWhichProfilesHelp() throws {
        let parameters: ConfigurationValue = [
            "profiles": ["prefill": "encode", "encode": "prefill"],
            "deciders": ["prefill": "always-disagg-pd-decider"],
        ]
        var pool = try DisaggregatedPool("disagg-profile-handler", parameters, plugins: [always])
        let decision = try pool.schedule()
        for decision in [decision, decision.served(by: decision.endpoint)] {
            #expect(decision.prefillProfile == "encode" && decision.encodeProfile == "prefill")
            #expect(decision.prefill?.endpoints[0].id.name == "encode-0" && decision.encode == nil)
        }
    }

    @Test func theOlderFlatFormIsRead() throws {
        let parameters: ConfigurationValue = [
            "decodeProfile": "decode", "prefillProfile": "prefill", "deciderPluginName": "always-disagg-pd-decider",
        ]
        var pool = try DisaggregatedPool("disagg-profile-handler", parameters, plugins: [always])
        #expect(try pool.schedule().kind?.name == "prefill-decode")
        let names = DisaggregatedProfileHandler.references(in: parameters)
        #expect(names == ["always-disagg-pd-decider"])
    }

    @Test(
        arguments: [
            (["stageOrder": "encode-first"], "'encode-first' is not one of decode-first, prefill-first"),
            (["profiles": ["decode": "a", "encode": "a"]], "two stages have the profile 'a'"),
            (["profiles": ["prefil": "a"]], "did you mean \"prefill\"?"),
            (["decodeProfile": "a", "profiles": ["decode": "a"]], "cannot stand beside 'profiles'"),
            (["encodeDeciderPluginName": "a", "stageOrder": "decode-first"], "cannot stand beside 'stageOrder'"),
            (
                ["stageOrder": "prefill-first", "deciders": ["prefill": "a"]],
                "deciders.prefill: 'a' cannot decide: with prefill-first every prompt has a prefill worker"
            ),
        ] as [(ConfigurationValue, String)])
    func refusesWhatContradictsItself(parameters: ConfigurationValue, message: String) {
        let text = failure(DisaggregatedProfileHandler.self, parameters)
        #expect(text?.contains(message) == true, "\(text ?? "no error")")
    }

    @Test func aDeciderMustBeOne() throws {
        let parameters: ConfigurationValue = ["deciders": ["prefill": "queue-scorer"]]
        let error = #expect(throws: ConfigurationError.self) {
            _ = try DisaggregatedPool("disagg-profile-handler", parameters, plugins: [("queue-scorer", nil)])
        }
        #expect("\(try #require(error))".contains("deciders.prefill: the plugin 'queue-scorer' is not a decider"))
    }

    @Test func objectsToProfilesThatDoNotFit() throws {
        let handler = try make(DisaggregatedProfileHandler.self)
        #expect(handler.objections(to: ["decode"]) == [])
        #expect(
            handler.objections(to: ["prefill", "other"]) == [
                .error("there is no scheduling profile 'decode' for decode workers; there are 'prefill', 'other'"),
                .warning("the scheduling profile 'prefill' never runs: no decider for prefill is named"),
                .warning("the scheduling profile 'other' never runs: it is none of a stage"),
            ]
        )
        let first = try make(DisaggregatedProfileHandler.self, ["stageOrder": "prefill-first"])
        #expect(first.objections(to: ["prefill", "decode"]) == [] && first.objections(to: ["decode"]) == [])
    }
}

@Suite struct OlderDisaggregationTests {
    @Test func pdRunsPrefillWhereItsDeciderWantsIt() throws {
        let parameters: ConfigurationValue = ["deciderPluginName": "always-disagg-pd-decider", "primaryPort": 9000]
        var pool = try DisaggregatedPool("pd-profile-handler", parameters, plugins: [always])
        let decision = try pool.schedule()
        #expect(decision.endpoint.id.name == "decode-0" && decision.destinationPort == 9000)
        #expect(decision.prefill?.endpoints[0].id.name == "prefill-0")
        #expect(decision.kind?.pluginType == "pd-profile-handler" && decision.kind?.name == "prefill-decode")
        // The prefill worker is named by another plugin.
        #expect(pool.headers == ["x-data-parallel-host-port": "10.0.0.1:8000"])
        #expect(throws: Rejection.self) { try pool.schedule(without: ["decode"]) }
    }

    @Test func pdAsksThePrefixBasedDecider() throws {
        #expect(PrefillDecodeProfileHandler.references(in: nil) == ["prefix-based-pd-decider"])
        #expect(PrefillDecodeProfileHandler.references(in: ["deciderPluginName": "mine"]) == ["mine"])
        let decider: Extra = ("prefix-based-pd-decider", ["nonCachedTokens": 50])
        for (matched, kind) in [(Int32(5), "prefill-decode"), (6, "decode-only")] {
            var pool = try DisaggregatedPool(
                "pd-profile-handler", nil, plugins: [decider], tokens: PromptTokens(count: 100), matches: [matched])
            #expect(try pool.schedule().kind?.name == kind)
            #expect(pool.headers.isEmpty)
        }
    }

    @Test(arguments: ["disagg-headers-handler", "prefill-header-handler"])
    func theHeadersHandlerNamesTheWorkers(type: String) throws {
        let handler: ConfigurationValue = ["prefillProfile": "encode", "deciderPluginName": "always-disagg-pd-decider"]
        var pool = try DisaggregatedPool(
            "pd-profile-handler", handler,
            plugins: [always, (type, ["prefillProfile": "encode", "encodeProfile": "e"])])
        _ = try pool.schedule()
        #expect(pool.headers == ["x-prefiller-host-port": "10.0.0.5:8000", "x-encoder-hosts-ports": nil])
        _ = try pool.schedule(without: ["encode"])
        #expect(pool.headers == ["x-prefiller-host-port": nil, "x-encoder-hosts-ports": nil])
    }

    @Test func deprecatedTypesSayWhatToUse() {
        let registry = BuiltinCatalogue.registry()
        #expect(registry["pd-profile-handler"]?.descriptor.deprecation == "use disagg-profile-handler")
        for type in ["disagg-headers-handler", "prefill-header-handler"] {
            let advice = registry[type]?.descriptor.deprecation
            #expect(advice == "disagg-profile-handler sets the headers itself")
        }
    }
}

@Suite struct DeciderTests {
    @Test(
        arguments: [
            // n, p, tokens, matched blocks of ten tokens, whether prefill runs
            (0, 0, 1000, 0, false),
            (1, 0, 1000, 0, true),
            (100, 0, 100, 0, true), (101, 0, 100, 0, false),
            (50, 0, 100, 5, true), (51, 0, 100, 5, false),
            (1, 100, 100, 0, true), (1, 101, 100, 0, false),
            // A cached part as long as the prompt, or longer, for its last block is partial.
            (1, 0, 100, 10, false), (1, 0, 95, 10, false),
            (1, 0, 0, 0, false),
            (.max, .max, .max, 0, true),
        ] as [(Int, Int, Int, Int32, Bool)])
    func prefixBased(_ bound: Int, _ least: Int, _ tokens: Int, _ matched: Int32, _ expected: Bool) throws {
        #expect(try decides(bound, least, tokens: PromptTokens(count: tokens), matches: [matched]) == expected)
    }

    /// The tokens of a picture and its bytes in the body have nothing to do with each other.
    @Test func aCachedPictureDoesNotHideText() throws {
        let picture =
            #"{"type":"image_url","image_url":{"url":"data:image/png;base64,"#
            + String(repeating: "A", count: 1_000_000) + #""}}"#
        let text = #"{"type":"text","text":""# + String(repeating: "word", count: 20_000) + #""}"#
        let chat = try BuiltinPluginsTests.request(chatBody("[\(picture),\(text)]"), as: .chatCompletions)
        let tokens = try #require(try TokenPool().tokens(chat))
        #expect((20_225..<20_400).contains(tokens.count))
        func decides(_ bound: Int, bytes: Int) throws -> Bool {
            try self.decides(bound, 0, tokens: tokens, matches: [Int32(bytes / 40)], request: chat)
        }
        // The decode worker holds the picture, and the picture alone.
        #expect(try decides(20_000, bytes: 1_000_100))
        #expect(try !decides(20_100, bytes: 1_000_100))
        // It holds half of the text too.
        #expect(try decides(9_900, bytes: 1_040_100) && !decides(10_100, bytes: 1_040_100))
        #expect(try !decides(1, bytes: 1_090_000), "all of it")
        // It holds a part of the picture.
        #expect(try decides(20_100, bytes: 500_000) && !decides(20_400, bytes: 500_000))
    }

    @Test func withoutDataNothingIsDecided() throws {
        #expect(try !decides(1, 0, tokens: PromptTokens(count: 100), matches: nil))
        #expect(try !decides(1, 0, tokens: PromptTokens(count: 100), matches: [0], decode: nil))
        // The estimate of the request counts where nobody counted the tokens.
        #expect(try decides(10, 0, tokens: nil, matches: []))
        #expect(try !decides(11, 0, tokens: nil, matches: []))
    }

    @Test func theProducerCanBeChosen() throws {
        var making = PluginContext(clock: SystemMonotonicClock())
        let data = TestData(tokens: PromptTokens(count: 100), matches: [9], producer: "precise", context: &making)
        let approximate = TestData(tokens: PromptTokens(count: 100), matches: [0], context: &making)
        let parameters: ConfigurationValue = ["nonCachedTokens": 50, "prefixMatchInfoProducerName": "precise"]
        let decider = try make(PrefixBasedDecider.self, parameters, context: &making)
        var context = SchedulingContext.sample(slotCount: making.slotCount)
        for producer in [data, approximate] { producer.produce(for: .sample(count: 1), context: &context) }
        #expect(!decider.disaggregates(context, decode: .sample("e0")))
    }

    @Test func negativeBoundsAreErrors() {
        #expect(failure(PrefixBasedDecider.self, ["nonCachedTokens": -1])?.contains("-1 is not at least 0") == true)
        #expect(failure(PrefixBasedDecider.self, ["promptTokens": -1])?.contains("-1 is not at least 0") == true)
    }

    @Test func onlyMediaNeedEncoders() throws {
        for (tokens, expected) in [(withMedia, true), (PromptTokens(count: 10), false), (nil, false)] {
            var making = PluginContext(clock: SystemMonotonicClock())
            let data = TestData(tokens: tokens, matches: nil, context: &making)
            let decider = try make(MultimodalDecider.self, nil, context: &making)
            var context = SchedulingContext.sample(slotCount: making.slotCount)
            data.produce(for: .sample(count: 1), context: &context)
            #expect(decider.disaggregates(context, decode: nil) == expected)
        }
    }

    private func decides(
        _ bound: Int,
        _ least: Int,
        tokens: PromptTokens?,
        matches: [Int32]?,
        decode: EndpointSnapshot? = .sample("e0"),
        request: InferenceRequest? = nil
    ) throws -> Bool {
        var making = PluginContext(clock: SystemMonotonicClock())
        let data = TestData(tokens: tokens, matches: matches, context: &making)
        let parameters: ConfigurationValue = [
            "nonCachedTokens": ConfigurationValue(.int(Int64(bound))),
            "promptTokens": ConfigurationValue(.int(Int64(least))),
        ]
        let decider = try make(PrefixBasedDecider.self, parameters, context: &making)
        // As long as the tokens say; without any, of ten.
        let length = 4 * min(tokens?.count ?? 10, 1 << 40)
        let request = request ?? InferenceRequest(id: "r", model: "m", promptRanges: [0..<length], inputTokens: 10)
        var context = SchedulingContext.sample(request, slotCount: making.slotCount)
        data.produce(for: .sample(count: 1), context: &context)
        return decider.disaggregates(context, decode: decode)
    }
}
