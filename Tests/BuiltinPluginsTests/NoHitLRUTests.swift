import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

/// A `no-hit-lru-scorer` with matches as a test says.
private struct ColdPool {
    let scorer: NoHitLRUScorer
    let matches: DataWriter<PrefixCacheMatches>
    let slotCount: Int

    init(_ parameters: ConfigurationValue? = nil) throws {
        var context = PluginContext(clock: SystemMonotonicClock())
        context.produceMatches()
        scorer = try make(NoHitLRUScorer.self, parameters, context: &context)
        matches = context.produce(PrefixCacheMatches.key, as: PrefixCacheMatches.key.defaultProducer)
        slotCount = context.slotCount
    }

    func context(held: [Int32]? = []) -> SchedulingContext {
        var context = SchedulingContext.sample(slotCount: slotCount)
        if let held {
            context.scratch[matches] = PrefixCacheMatches(hashes: [1, 2], blockSizeTokens: 64, matchedBlocks: held)
        }
        return context
    }

    func scores(_ candidates: Candidates, held: [Int32]? = []) -> [Double] {
        BuiltinPluginsTests.scores(scorer, candidates, context: context(held: held))
    }

    func send(
        to endpoint: EndpointSnapshot,
        among candidates: Candidates = Candidates([]),
        prefill: EndpointSnapshot? = nil,
        prefillProfile: String = "prefill",
        held: [Int32]? = []
    ) {
        var context = context(held: held)
        let primary = ProfileResult(profile: "default", endpoints: [endpoint], candidates: candidates)
        let secondary = prefill.map { [ProfileResult(profile: prefillProfile, endpoints: [$0])] } ?? []
        let decision = SchedulingDecision(
            primary: primary,
            secondary: secondary,
            prefillProfile: prefillProfile
        )
        scorer.willSend(decision, context: &context)
    }
}

extension PluginContext {
    /// Makes a slot for matches, so that the order in which a test's plugins are made does not matter.
    fileprivate mutating func produceMatches() {
        _ = produce(PrefixCacheMatches.key, as: PrefixCacheMatches.key.defaultProducer)
    }
}

@Suite struct NoHitLRUTests {
    private let four = Candidates.sample(count: 4)

    private func only(_ slots: Int...) -> Candidates {
        var candidates = four
        candidates.keep { slots.contains($0.slot) }
        return candidates
    }

    @Test func neverUsedEndpointsComeInTheirOrder() throws {
        let pool = try ColdPool()
        #expect(pool.scores(four) == [1, 2.0 / 3, 1.0 / 3, 0])
        #expect(pool.scores(four, held: nil) == [1, 2.0 / 3, 1.0 / 3, 0], "without data every request is cold")
        #expect(pool.scores(only(2)) == [1])
        #expect(pool.scores(Candidates([])) == [])
    }

    @Test func theLongestUnusedComesFirst() throws {
        let pool = try ColdPool()
        for slot in [1, 0, 3] { pool.send(to: four[slot]) }
        #expect(pool.scores(four) == [1.0 / 3, 2.0 / 3, 1, 0])
        pool.send(to: four[2])
        pool.send(to: four[1])
        #expect(pool.scores(four) == [1, 0, 1.0 / 3, 2.0 / 3])
    }

    /// Places in an order of all endpoints would give both 0 here.
    @Test func placesCountAmongTheCandidatesOnly() throws {
        let pool = try ColdPool()
        for slot in 0..<4 { pool.send(to: four[slot]) }
        #expect(pool.scores(only(2, 3)) == [1, 0])
        #expect(pool.scores(only(0, 3)) == [1, 0])
        #expect(pool.scores(only(1, 2, 3)) == [1, 0.5, 0])
    }

    @Test func aCachedRequestHasNoPreference() throws {
        let pool = try ColdPool()
        #expect(pool.scores(four, held: [0, 0, 1]) == [0.5, 0.5, 0.5, 0.5])
        pool.send(to: four[0], among: four, held: [0, 0, 1])
        #expect(pool.scores(four) == [1, 2.0 / 3, 1.0 / 3, 0], "and is no use")
        // The endpoint that holds it was filtered out.
        #expect(pool.scores(only(0, 1), held: [0, 0, 1]) == [1, 0])
        pool.send(to: four[0], among: only(0, 1), held: [0, 0, 1])
        #expect(pool.scores(only(0, 1)) == [0, 1])
    }

    @Test(arguments: ["prefill", "read"]) func aPrefillEndpointIsUsedToo(profile: String) throws {
        let pool = try ColdPool()
        pool.send(to: four[0], prefill: four[1], prefillProfile: profile)
        #expect(pool.scores(four) == [1.0 / 3, 0, 1, 2.0 / 3])
    }

    @Test func theOldestUseIsForgottenBeyondTheSize() throws {
        let pool = try ColdPool(["lruSize": 2])
        for slot in [3, 2, 1] { pool.send(to: four[slot]) }
        // 3 counts as never used, as 0 does.
        #expect(pool.scores(four) == [1, 0, 1.0 / 3, 2.0 / 3])
    }

    @Test func anEndpointThatLeftIsForgotten() throws {
        let pool = try ColdPool()
        for slot in 0..<2 { pool.send(to: four[slot]) }
        let next = EndpointSnapshot.sample("new", slot: 1, incarnation: 1)
        let candidates = Candidates([four[0], next])
        #expect(pool.scores(candidates) == [0, 1], "a new life of a slot was never used")
        pool.send(to: next)
        pool.scorer.endpointDidLeave(four[1])
        pool.send(to: four[1])
        #expect(pool.scores(candidates) == [1, 0], "late news of the old life change nothing")
        pool.scorer.endpointDidLeave(next)
        #expect(pool.scores(candidates) == [0, 1])
    }

    @Test func oddSlotsDoNotTrap() throws {
        let pool = try ColdPool()
        let odd = [-1, 0, 1_000_000, Int.max].map { slot in
            EndpointSnapshot(
                id: EndpointID(name: "e\(slot)"), slot: slot, address: EndpointAddress(host: "10.0.0.1", port: 8000)
            )
        }
        for endpoint in odd { pool.send(to: endpoint) }
        #expect(pool.scores(Candidates(odd)) == [1, 2.0 / 3, 1.0 / 3, 0])
    }

    @Test func readsItsParameters() throws {
        #expect(failure(NoHitLRUScorer.self, ["lruSize": "many"])?.contains("whole number") == true)
        var context = PluginContext(clock: SystemMonotonicClock())
        let value: ConfigurationValue = ["lruSize": 0, "prefixPluginType": "x", "prefixPluginName": "y"]
        let decoder = ParameterDecoder(value: value, path: "parameters")
        _ = NoHitLRUScorer(parameters: decoder, context: &context)
        #expect(decoder.warnings.count == 3 && decoder.warnings[0].message == "0 means 1024")
        try decoder.finish()
        #expect(context.consumed.map(\.key) == ["PrefixCacheMatchInfo/approx-prefix-cache-producer"])
    }
}
