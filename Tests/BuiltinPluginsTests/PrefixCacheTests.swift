import GatewayCore
import GatewayTesting
import Scheduling
import Synchronization
import Testing

@testable import BuiltinPlugins

/// A pool with the approximate prefix index and nothing else that scores, and endpoints that come and go.
private struct PrefixPool {
    let producer: ApproximatePrefixCacheProducer
    let scorer: PrefixCacheScorer
    let scheduler: Scheduler
    var endpoints: [EndpointSnapshot]
    private var seed: UInt64 = 0

    init(
        endpoints: Int = 3,
        producer producerParameters: ConfigurationValue? = nil,
        scorer scorerParameters: ConfigurationValue? = nil
    ) throws {
        var context = PluginContext(clock: SystemMonotonicClock())
        producer = try make(ApproximatePrefixCacheProducer.self, producerParameters, context: &context)
        scorer = try make(PrefixCacheScorer.self, scorerParameters, context: &context)
        let picker = try make(MaxScorePicker.self, context: &context)
        let handler = try make(SingleProfileHandler.self, context: &context)
        let profile = SchedulingProfile(
            name: "default",
            scorers: [WeightedScorer(name: "prefix", scorer: scorer)],
            pickerName: "max",
            picker: picker
        )
        scheduler = Scheduler(
            pipeline: PluginPipeline(
                plugins: [.init(name: "producer", type: "approx-prefix-cache-producer", plugin: producer)],
                profiles: [profile],
                handler: handler,
                producers: [.init(name: "producer", plugin: producer)],
                slotCount: context.slotCount
            )
        )
        self.endpoints = (0..<endpoints).map { .sample("e\($0)", slot: $0) }
    }

    /// What the scorer gives each endpoint for `request`.
    mutating func scores(_ request: InferenceRequest) throws -> [Double] {
        try decide(request).decision.primary.weightedSums
    }

    /// Sends `request` to the endpoint at `index`, whatever the scores say.
    mutating func send(_ request: InferenceRequest, to index: Int, prefill: Int? = nil) throws {
        var context = try decide(request).context
        let primary = ProfileResult(profile: "default", endpoints: [endpoints[index]])
        let secondary = prefill.map { [ProfileResult(profile: "prefill", endpoints: [endpoints[$0]])] } ?? []
        scheduler.willSend(SchedulingDecision(primary: primary, secondary: secondary), context: &context)
    }

    mutating func decide(
        _ request: InferenceRequest
    ) throws -> (decision: SchedulingDecision, context: SchedulingContext) {
        seed += 1
        var context = SchedulingContext.sample(request, slotCount: scheduler.slotCount, seed: seed)
        let decision = try scheduler.schedule(&context, candidates: Candidates(endpoints))
        return (decision, context)
    }
}

/// A body that counts how often its bytes are looked at.
private final class CountedBody: BodyBytes {
    private let bytes: ArrayBody
    private let counter = Atomic<Int>(0)

    init(_ text: String) { bytes = ArrayBody(Array(text.utf8)) }

    var count: Int { bytes.count }
    var reads: Int { counter.load(ordering: .relaxed) }

    func withBytes<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
        counter.wrappingAdd(1, ordering: .relaxed)
        return try bytes.withBytes(body)
    }
}

/// `count` blocks of 64 tokens of four bytes; equal `text` gives an equal prefix.
private func blocks(_ count: Int, _ text: Character = "a") -> String {
    String(repeating: text, count: count * 256)
}

@Suite struct PrefixCacheTests {
    @Test func aNewPromptIsNowhere() throws {
        var pool = try PrefixPool()
        #expect(try pool.scores(.sample(prompt: blocks(4))) == [0, 0, 0])
        #expect(try pool.scores(.sample(prompt: "")) == [0, 0, 0])
    }

    @Test func theSameEndpointServesTheSamePrefixAgain() throws {
        var pool = try PrefixPool()
        let (first, _) = try pool.decide(.sample(prompt: blocks(8)))
        try pool.send(.sample(prompt: blocks(8)), to: first.endpoint.slot)
        for turn in 1...20 {
            let (next, _) = try pool.decide(.sample(prompt: blocks(8) + blocks(turn, "b")))
            #expect(next.endpoint.id == first.endpoint.id)
        }
    }

    @Test func metricsAreToldWhatWasLookedUpAndHowMuchIsRemembered() throws {
        var pool = try PrefixPool()
        #expect(pool.producer.rememberedBlocks == 0)
        try pool.send(.sample(prompt: blocks(4)), to: 0)
        try pool.send(.sample(prompt: blocks(2)), to: 1)
        #expect(pool.producer.rememberedBlocks == 6)
        let (_, context) = try pool.decide(.sample(prompt: blocks(8)))
        #expect(pool.producer.lookedUpTokens(of: context) == 512)
        #expect(pool.producer.cachedTokens(of: context, on: pool.endpoints[0]) == 256)
        let (_, empty) = try pool.decide(.sample(prompt: ""))
        #expect(pool.producer.lookedUpTokens(of: empty) == 0)
        pool.producer.endpointDidLeave(pool.endpoints[0])
        #expect(pool.producer.rememberedBlocks == 2)
    }

    @Test func theScoreIsTheShareOfTheLongestRun() throws {
        var pool = try PrefixPool()
        try pool.send(.sample(prompt: blocks(4)), to: 0)
        try pool.send(.sample(prompt: blocks(2) + blocks(2, "x")), to: 1)
        #expect(try pool.scores(.sample(prompt: blocks(4))) == [1, 0.5, 0])
        #expect(try pool.scores(.sample(prompt: blocks(4) + blocks(4, "y"))) == [0.5, 0.25, 0])
        // The last block may be partial; it is a block of its own, equal only to itself.
        #expect(try pool.scores(.sample(prompt: blocks(4) + "tail")) == [0.8, 0.4, 0])
        // Nothing counts behind the first block that differs.
        #expect(try pool.scores(.sample(prompt: blocks(1, "z") + blocks(3))) == [0, 0, 0])
    }

    @Test func modelsAndSaltsShareNothing() throws {
        var pool = try PrefixPool(endpoints: 1)
        try pool.send(.sample(model: "m", prompt: blocks(2)), to: 0)
        #expect(try pool.scores(.sample(model: "m", prompt: blocks(2))) == [1])
        #expect(try pool.scores(.sample(model: "n", prompt: blocks(2))) == [0])
        #expect(try pool.scores(.sample(model: "n", targetModel: "m", prompt: blocks(2))) == [1])
        #expect(try pool.scores(.sample(model: "m", targetModel: "n", prompt: blocks(2))) == [0])
        #expect(try pool.scores(.sample(model: "m", prompt: blocks(2), cacheSalt: "s")) == [0])
    }

    @Test func onlyThePromptIsHashed() throws {
        var pool = try PrefixPool(endpoints: 1)
        func request(_ before: String, _ between: String) -> InferenceRequest {
            let parts = [before, blocks(2), between, blocks(1, "b")].map { Array($0.utf8) }
            let bytes = parts.flatMap { $0 }
            let second = bytes.count - parts[3].count
            return InferenceRequest(
                id: "r",
                model: "model",
                body: ArrayBody(bytes),
                promptRanges: [parts[0].count..<parts[0].count + parts[1].count, second..<bytes.count]
            )
        }
        try pool.send(request("{\"temperature\":1,\"prompt\":", ",\"seed\":7"), to: 0)
        #expect(try pool.scores(request("", "something else")) == [1])
    }

    @Test func anEndpointThatLeftIsForgotten() throws {
        var pool = try PrefixPool()
        try pool.send(.sample(prompt: blocks(2)), to: 1)
        #expect(try pool.scores(.sample(prompt: blocks(2))) == [0, 1, 0])
        pool.scheduler.endpointDidLeave(pool.endpoints[1])
        #expect(try pool.scores(.sample(prompt: blocks(2))) == [0, 0, 0])
    }

    @Test func aSlotUsedAgainInheritsNothing() throws {
        var pool = try PrefixPool()
        try pool.send(.sample(prompt: blocks(2)), to: 1)
        let old = pool.endpoints[1]
        let (_, lateContext) = try pool.decide(.sample(prompt: blocks(2)))

        // The new endpoint shows up before anyone says that the old one left.
        pool.endpoints[1] = .sample("new", slot: 1, incarnation: 1)
        #expect(try pool.scores(.sample(prompt: blocks(2))) == [0, 0, 0])
        try pool.send(.sample(prompt: blocks(2, "n")), to: 1)
        #expect(try pool.scores(.sample(prompt: blocks(2, "n"))) == [0, 1, 0])

        // Late news of the old endpoint changes nothing of the new one's.
        pool.scheduler.endpointDidLeave(old)
        var context = lateContext
        let late = SchedulingDecision(primary: ProfileResult(profile: "default", endpoints: [old]))
        pool.scheduler.willSend(late, context: &context)
        #expect(try pool.scores(.sample(prompt: blocks(2))) == [0, 0, 0])
        #expect(try pool.scores(.sample(prompt: blocks(2, "n"))) == [0, 1, 0])
    }

    @Test func aRequestOnItsWayToAnEndpointThatLeftAddsNothing() throws {
        var pool = try PrefixPool()
        var (_, context) = try pool.decide(.sample(prompt: blocks(2)))
        let gone = pool.endpoints[0]
        pool.scheduler.endpointDidLeave(gone)
        let decision = SchedulingDecision(primary: ProfileResult(profile: "default", endpoints: [gone]))
        pool.scheduler.willSend(decision, context: &context)
        pool.endpoints[0] = .sample("new", slot: 0, incarnation: 1)
        #expect(try pool.scores(.sample(prompt: blocks(2))) == [0, 0, 0])
    }

    @Test func aRetryCountsForTheEndpointOfEachAttempt() throws {
        var pool = try PrefixPool()
        var (first, context) = try pool.decide(.sample(prompt: blocks(2)))
        pool.scheduler.willSend(first, context: &context)
        let failed = first.endpoint.slot
        var rest = Candidates(pool.endpoints)
        rest.keep { $0.slot != failed }
        let second = try pool.scheduler.schedule(&context, candidates: rest)
        pool.scheduler.willSend(second, context: &context)
        let scores = try pool.scores(.sample(prompt: blocks(2)))
        #expect(second.endpoint.slot != failed)
        #expect(scores[failed] == 1 && scores[second.endpoint.slot] == 1)
    }

    @Test func thePromptIsReadOnceForAllAttempts() throws {
        let pool = try PrefixPool()
        let body = CountedBody(blocks(3))
        let request = InferenceRequest(id: "r", model: "model", body: body, promptRanges: [0..<body.count])
        var context = SchedulingContext.sample(request, slotCount: pool.scheduler.slotCount)
        for _ in 0..<3 {
            let decision = try pool.scheduler.schedule(&context, candidates: Candidates(pool.endpoints))
            pool.scheduler.willSend(decision, context: &context)
        }
        #expect(body.reads == 1)
    }

    @Test func aPrefillEndpointHoldsThePromptToo() throws {
        var pool = try PrefixPool()
        try pool.send(.sample(prompt: blocks(2)), to: 0, prefill: 2)
        #expect(try pool.scores(.sample(prompt: blocks(2))) == [1, 0, 1])
    }

    @Test func theCapacityIsThatOfTheEnginesCache() throws {
        var pool = try PrefixPool(endpoints: 1, producer: ["lruCapacityPerServer": 100])
        func tell(blockSize: Int, count: Int) {
            pool.endpoints = [
                .sample("e0", metrics: EndpointMetrics(cacheBlockSizeTokens: blockSize, cacheBlockCount: count))
            ]
        }
        // 16 blocks of 16 tokens are four of 64.
        tell(blockSize: 16, count: 16)
        try pool.send(.sample(prompt: blocks(4, "a")), to: 0)
        #expect(try pool.scores(.sample(prompt: blocks(4, "a"))) == [1])
        try pool.send(.sample(prompt: blocks(3, "b")), to: 0)
        #expect(try pool.scores(.sample(prompt: blocks(3, "b"))) == [1])
        #expect(try pool.scores(.sample(prompt: blocks(4, "a"))) == [0.25])

        // A larger cache holds more, and a smaller one forgets on the next insertion.
        tell(blockSize: 16, count: 64)
        try pool.send(.sample(prompt: blocks(8, "c")), to: 0)
        #expect(try pool.scores(.sample(prompt: blocks(8, "c"))) == [1])
        #expect(try pool.scores(.sample(prompt: blocks(3, "b"))) == [1])
        tell(blockSize: 16, count: 4)
        try pool.send(.sample(prompt: blocks(1, "d")), to: 0)
        #expect(try pool.scores(.sample(prompt: blocks(1, "d"))) == [1])
        #expect(try pool.scores(.sample(prompt: blocks(8, "c"))) == [0])
    }

    @Test func theCapacityFollowsWhatTheEngineTellsLater() throws {
        var pool = try PrefixPool(endpoints: 1, producer: ["lruCapacityPerServer": 100])
        try pool.send(.sample(prompt: blocks(9, "a")), to: 0)
        #expect(try pool.scores(.sample(prompt: blocks(9, "a"))) == [1], "nothing is known of the engine yet")
        pool.endpoints = [.sample("e0", metrics: EndpointMetrics(cacheBlockSizeTokens: 32, cacheBlockCount: 8))]
        try pool.send(.sample(prompt: blocks(1, "b")), to: 0)
        // Eight blocks of 32 tokens are four of 64.
        #expect(try pool.scores(.sample(prompt: blocks(9, "a"))) == [3.0 / 9])
    }

    @Test func anEngineThatStartedAnewHoldsNothing() throws {
        var pool = try PrefixPool(endpoints: 2)
        for index in 0..<2 { try pool.send(.sample(prompt: blocks(2)), to: index) }
        let before = pool.endpoints[1]
        let (_, onItsWay) = try pool.decide(.sample(prompt: blocks(2)))
        pool.endpoints[1] = .sample("e1", slot: 1, metrics: EndpointMetrics(engineRestarts: 1))
        #expect(try pool.scores(.sample(prompt: blocks(2))) == [1, 0])
        try pool.send(.sample(prompt: blocks(2, "n")), to: 1)
        #expect(try pool.scores(.sample(prompt: blocks(2))) == [1, 0])
        #expect(try pool.scores(.sample(prompt: blocks(2, "n"))) == [0, 1])

        // A request that was decided on before the restart adds nothing to what came after it.
        var context = onItsWay
        let late = SchedulingDecision(primary: ProfileResult(profile: "default", endpoints: [before]))
        pool.scheduler.willSend(late, context: &context)
        #expect(try pool.scores(.sample(prompt: blocks(2))) == [1, 0])
        pool.scheduler.endpointDidLeave(pool.endpoints[1])
        #expect(try pool.scores(.sample(prompt: blocks(2, "n"))) == [0, 0])
    }

    @Test func twoProducersReadThePromptOnceAndKnowTheirOwn() throws {
        var context = PluginContext(clock: SystemMonotonicClock())
        let names = ["one", "two"]
        let producers = try names.map { try make(ApproximatePrefixCacheProducer.self, name: $0, context: &context) }
        let burst = try make(BurstPrefixCacheProducer.self, context: &context)
        let coarse = try make(
            ApproximatePrefixCacheProducer.self, ["blockSizeTokens": 128], name: "coarse", context: &context
        )
        let readers = names.map { context.consume(PrefixCacheMatches.key, producer: $0) }
        let body = CountedBody(blocks(4))
        let request = InferenceRequest(id: "r", model: "model", body: body, promptRanges: [0..<body.count])
        var scheduling = SchedulingContext.sample(request, slotCount: context.slotCount)
        let candidates = Candidates.sample(count: 1)
        for producer in producers { producer.produce(for: candidates, context: &scheduling) }
        burst.produce(for: candidates, context: &scheduling)
        #expect(body.reads == 1)
        coarse.produce(for: candidates, context: &scheduling)
        #expect(body.reads == 2, "other blocks have other hashes")

        let sent = SchedulingDecision(primary: ProfileResult(profile: "default", endpoints: [candidates[0]]))
        producers[0].willSend(sent, context: &scheduling)
        for producer in producers { producer.produce(for: candidates, context: &scheduling) }
        #expect(readers.map { scheduling.scratch[$0]?.matchedBlocks(on: candidates[0]) } == [4, 0])
    }

    @Test func withoutTuningTheConfiguredCapacityCounts() throws {
        var pool = try PrefixPool(endpoints: 1, producer: ["autoTune": false, "lruCapacityPerServer": 2])
        pool.endpoints = [.sample("e0", metrics: EndpointMetrics(cacheBlockSizeTokens: 128, cacheBlockCount: 1000))]
        try pool.send(.sample(prompt: blocks(4)), to: 0)
        #expect(try pool.scores(.sample(prompt: blocks(4))) == [0.5])
    }

    @Test func theBlockSizeFollowsTheEngine() throws {
        var pool = try PrefixPool(endpoints: 2, scorer: ["matchLengthWeight": 1, "matchLengthScaleTokens": 512])
        // The first endpoint has not told anything yet; the second one's block size counts.
        pool.endpoints[1] = .sample("e1", slot: 1, metrics: EndpointMetrics(cacheBlockSizeTokens: 128))
        try pool.send(.sample(prompt: blocks(2)), to: 0)
        // One block of 128 tokens: (128 / 512)².
        #expect(try pool.scores(.sample(prompt: blocks(2))) == [0.0625, 0])
    }

    @Test func thePromptIsMatchedUpToALimit() throws {
        var pool = try PrefixPool(endpoints: 1, producer: ["maxPrefixTokensToMatch": 130])
        try pool.send(.sample(prompt: blocks(2) + blocks(5, "x")), to: 0)
        #expect(try pool.scores(.sample(prompt: blocks(2) + blocks(5, "y"))) == [1])
        var byBlocks = try PrefixPool(
            endpoints: 1,
            producer: ["maxPrefixTokensToMatch": 0, "maxPrefixBlocksToMatch": 3]
        )
        try byBlocks.send(.sample(prompt: blocks(2) + blocks(5, "x")), to: 0)
        #expect(try byBlocks.scores(.sample(prompt: blocks(2) + blocks(5, "y"))) == [2.0 / 3])
    }

    @Test(arguments: [(0, 0.5), (1, 0.0625), (0.5, 0.28125)])
    func longMatchesWeighMore(weight: Double, expected: Double) throws {
        var pool = try PrefixPool(
            endpoints: 1,
            scorer: ["matchLengthWeight": .init(floatLiteral: weight), "matchLengthScaleTokens": 512]
        )
        try pool.send(.sample(prompt: blocks(2)), to: 0)
        // 2 of 4 blocks of 64 tokens: a share of 1/2, and a length of 128 / 512.
        #expect(try pool.scores(.sample(prompt: blocks(2) + blocks(2, "b"))) == [expected])
    }

    @Test func theMatchedLengthSaturates() throws {
        var pool = try PrefixPool(
            endpoints: 1,
            scorer: ["matchLengthWeight": 1, "matchLengthScaleTokens": 64]
        )
        try pool.send(.sample(prompt: blocks(4)), to: 0)
        #expect(try pool.scores(.sample(prompt: blocks(8))) == [1])
    }

    @Test func slotsThatTheIndexCannotHoldAreLeftOut() throws {
        var pool = try PrefixPool(endpoints: 1)
        for slot in [-1, 4096, 1_000_000] { pool.endpoints.append(.sample("far\(slot)", slot: slot)) }
        let edge = EndpointAddress(host: "10.0.0.1", port: 8000)
        pool.endpoints.append(EndpointSnapshot(id: EndpointID(name: "edge"), slot: .max, address: edge))
        for index in pool.endpoints.indices.dropFirst() { try pool.send(.sample(prompt: blocks(2)), to: index) }
        pool.endpoints.forEach { pool.scheduler.endpointDidLeave($0) }
        #expect(try pool.scores(.sample(prompt: blocks(2))) == [0, 0, 0, 0, 0])
    }

    @Test func requestsFromManyTasksKeepTheIndexWhole() async throws {
        let pool = try PrefixPool(endpoints: 8)
        await withTaskGroup(of: Void.self) { group in
            for worker in 0..<8 {
                group.addTask {
                    var pool = pool
                    for turn in 0..<50 {
                        let request = InferenceRequest.sample(prompt: blocks(1 + turn % 5, turn % 2 == 0 ? "a" : "b"))
                        try? pool.send(request, to: worker)
                        if turn % 10 == 9 { pool.scheduler.endpointDidLeave(pool.endpoints[(worker + 1) % 8]) }
                    }
                }
            }
        }
        var after = pool
        #expect(try after.scores(.sample(prompt: blocks(1))).allSatisfy { $0 == 0 || $0 == 1 })
    }

    @Test(
        arguments: [
            (["blockSizeTokens": 0], "0 is not in 1 to 65536"),
            (["lruCapacityPerServer": 0], "0 is not in 1 to"),
            (["maxPrefixTokensToMatch": -1], "-1 is not at least 0"),
            (["autotune": true], "did you mean \"autoTune\"?"),
        ] as [(ConfigurationValue, String)])
    func refusesBadParameters(parameters: ConfigurationValue, message: String) {
        let text = failure(ApproximatePrefixCacheProducer.self, parameters)
        #expect(text?.contains(message) == true, "\(text ?? "no error")")
        #expect(failure(PrefixCacheScorer.self, ["matchLengthWeight": 1.5])?.contains("1.5 is not in") == true)
    }
}
