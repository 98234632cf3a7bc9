import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

/// A `burst-prefix-cache-producer` and where it wants requests to go.
private struct BurstPool {
    let producer: BurstPrefixCacheProducer
    let reader: DataReader<PrefixCacheMatches>
    let slotCount: Int
    var endpoints: [EndpointSnapshot]

    init(endpoints: Int = 3, _ parameters: ConfigurationValue? = nil) throws {
        var context = PluginContext(clock: SystemMonotonicClock())
        producer = try make(BurstPrefixCacheProducer.self, parameters, context: &context)
        reader = context.consume(PrefixCacheMatches.key, producer: "burst-prefix-cache-producer")
        slotCount = context.slotCount
        self.endpoints = (0..<endpoints).map { .sample("e\($0)", slot: $0) }
    }

    func context(_ prompt: String, at milliseconds: Int, only: [Int]? = nil) -> SchedulingContext {
        var context = SchedulingContext(
            request: .sample(prompt: prompt),
            now: MonotonicInstant(nanoseconds: Int64(milliseconds) * 1_000_000),
            scratch: RequestScratch(slotCount: slotCount),
            random: RandomSource(seed: 1)
        )
        var candidates = Candidates(endpoints)
        if let only { candidates.keep { only.contains($0.slot) } }
        producer.produce(for: candidates, context: &context)
        return context
    }

    /// The matched blocks of each endpoint.
    func matched(_ prompt: String, at milliseconds: Int = 0, only: [Int]? = nil) -> [Int] {
        let matches = context(prompt, at: milliseconds, only: only).scratch[reader]
        return endpoints.map { matches?.matchedBlocks(on: $0) ?? 0 }
    }

    func send(_ prompt: String, to index: Int, at milliseconds: Int = 0) {
        var context = context(prompt, at: milliseconds)
        let result = ProfileResult(profile: "default", endpoints: [endpoints[index]])
        producer.willSend(SchedulingDecision(primary: result), context: &context)
    }

    /// Sends `prompt` where the matches are highest, and tells where that is.
    mutating func follow(_ prompt: String, at milliseconds: Int = 0) throws -> Int {
        let matched = matched(prompt, at: milliseconds)
        let best = try #require(matched.indices.max { matched[$0] < matched[$1] })
        send(prompt, to: best, at: milliseconds)
        return best
    }
}

/// `count` blocks of 64 tokens of four bytes.
private func blocks(_ count: Int, _ text: String) -> String {
    String(String(repeating: text, count: 256 * count).prefix(count * 256))
}

@Suite struct BurstPrefixCacheTests {
    @Test func requestsOfOnePromptFollowTheFirst() throws {
        let pool = try BurstPool()
        let prompt = blocks(4, "a")
        // The first goes where others want it, whatever this plugin advised.
        pool.send(prompt, to: 1)
        for time in [0, 1, 50, 99] {
            #expect(pool.matched(prompt, at: time) == [0, 4, 0])
            pool.send(prompt, to: 1, at: time)
        }
        #expect(pool.matched(blocks(3, "a") + blocks(1, "b")).max() == 1, "another prompt is no member")
    }

    @Test func aNewPromptGetsABlockOnTheEndpointWithLeast() throws {
        let pool = try BurstPool()
        pool.send(blocks(4, "a"), to: 0)
        pool.send(blocks(4, "b"), to: 2)
        #expect(pool.matched(blocks(4, "c")) == [0, 1, 0])
        pool.send(blocks(4, "c"), to: 1)
        pool.send(blocks(4, "d"), to: 1)
        pool.send(blocks(4, "e"), to: 0)
        #expect(pool.matched(blocks(4, "f")) == [0, 0, 1])
        #expect(pool.matched("short") == [0, 0, 0], "one block would be all of it")
        #expect(pool.matched("") == [0, 0, 0])
    }

    @Test func equalEndpointsAreToldApartByThePrompt() throws {
        let pool = try BurstPool(endpoints: 4)
        let advised = Set((0..<60).compactMap { pool.matched(blocks(2, "p\($0) ")).firstIndex(of: 1) })
        #expect(advised == [0, 1, 2, 3])
        #expect((0..<9).allSatisfy { _ in pool.matched(blocks(2, "x")) == pool.matched(blocks(2, "x")) })
    }

    @Test func aBurstIsBalancedAndKeptTogether() throws {
        var pool = try BurstPool(endpoints: 4)
        var places: [Int: Set<Int>] = [:]
        for _ in 0..<8 {
            for prompt in 0..<16 { places[prompt, default: []].insert(try pool.follow(blocks(2, "p\(prompt) "))) }
        }
        #expect(places.values.allSatisfy { $0.count == 1 })
        let groups = Dictionary(grouping: places.values.flatMap { $0 }) { $0 }.mapValues(\.count)
        #expect(groups == [0: 4, 1: 4, 2: 4, 3: 4])
    }

    @Test func theWindowEnds() throws {
        let pool = try BurstPool(["windowDurationMs": 10])
        let prompt = blocks(4, "a")
        pool.send(prompt, to: 1)
        pool.send(prompt, to: 1, at: 9)
        #expect(pool.matched(prompt, at: 9) == [0, 4, 0])
        // It counts from the first request of the prompt.
        #expect(pool.matched(prompt, at: 10).max() == 1)
        pool.send(prompt, to: 2, at: 11)
        #expect(pool.matched(prompt, at: 20) == [0, 0, 4])
    }

    @Test func aGroupSpillsWhenAnEndpointHasItsShare() throws {
        let pool = try BurstPool(["maxPerReplica": 2])
        let prompt = blocks(4, "a")
        for _ in 0..<2 { pool.send(prompt, to: 1) }
        pool.send(blocks(4, "b"), to: 0)
        #expect(pool.matched(prompt) == [0, 0, 4], "the least loaded of those with room")
        for _ in 0..<2 { pool.send(prompt, to: 2) }
        #expect(pool.matched(prompt) == [4, 0, 0])
        for _ in 0..<2 { pool.send(prompt, to: 0) }
        #expect(pool.matched(prompt).filter { $0 == 4 }.count == 1, "all have their share")
    }

    @Test func anEndpointThatIsNoCandidateIsNotFollowed() throws {
        var pool = try BurstPool()
        let prompt = blocks(4, "a")
        pool.send(prompt, to: 1)
        pool.send(blocks(4, "b"), to: 0)
        #expect(pool.matched(prompt, only: [0, 2]) == [0, 0, 4])
        pool.endpoints[1] = .sample("new", slot: 1, incarnation: 1)
        #expect(pool.matched(prompt)[1] == 0 || pool.matched(prompt)[1] == 4)
        #expect(pool.matched(prompt, only: []) == [0, 0, 0])
    }

    @Test func promptsWithACommonStartMeetWithinTheFairShare() throws {
        let pool = try BurstPool(["minColocateBlocks": 2])
        let start = blocks(2, "s")
        pool.send(start + blocks(2, "a"), to: 1)
        // Two requests over three endpoints: one each is fair, so 1 has its share.
        #expect(pool.matched(start + blocks(2, "b")).max() == 1)
        for (prompt, place) in [("x", 0), ("y", 2), ("z", 0)] { pool.send(blocks(4, prompt), to: place) }
        #expect(pool.matched(start + blocks(2, "b")) == [0, 4, 0])
        #expect(pool.matched(blocks(1, "s") + blocks(3, "b")).max() == 1, "one block is not enough")
        #expect(pool.matched(start) == [0, 2, 0])
        // When the group is gone, so is the family.
        #expect(pool.matched(start + blocks(2, "b"), at: 100).max() == 1)
    }

    @Test func byTokensALongPromptWeighsMore() throws {
        for (balance, expected) in [("tokens", [1, 0]), ("requests", [0, 1])] {
            let pool = try BurstPool(endpoints: 2, ["balanceBy": .init(stringLiteral: balance)])
            for prompt in ["a", "b"] { pool.send(blocks(2, prompt), to: 0) }
            pool.send(blocks(9, "c"), to: 1)
            #expect(pool.matched(blocks(2, "d")) == expected, "\(balance)")
        }
        // A prompt is computed once per endpoint, and the start that it shares not again.
        let pool = try BurstPool(endpoints: 2, ["balanceBy": "tokens", "minColocateBlocks": 4])
        for _ in 0..<50 { pool.send(blocks(4, "a") + blocks(1, "b"), to: 0) }
        pool.send(blocks(4, "a") + blocks(1, "c"), to: 0)
        pool.send(blocks(7, "d"), to: 1)
        #expect(pool.matched(blocks(2, "e")) == [1, 0], "6 blocks against 7")
    }

    @Test func aFullWindowAdvisesNothingNew() throws {
        let pool = try BurstPool(["maxBatchSize": 2])
        pool.send(blocks(4, "a"), to: 0)
        pool.send(blocks(4, "b"), to: 1)
        #expect(pool.matched(blocks(4, "c")) == [0, 0, 0])
        pool.send(blocks(4, "c"), to: 2)
        #expect(pool.matched(blocks(4, "c")) == [0, 0, 0], "and remembers nothing new")
        #expect(pool.matched(blocks(4, "a")) == [4, 0, 0])
        #expect(pool.matched(blocks(4, "c"), at: 100).max() == 1)
    }

    @Test func manyWindowsLeaveNothingBehind() throws {
        let pool = try BurstPool(["windowDurationMs": 5, "minColocateBlocks": 1, "maxBatchSize": 20])
        for time in 0..<3000 {
            let prompt = blocks(2, "\(time % 97) ")
            pool.send(prompt, to: time % 3, at: time)
            let matched = pool.matched(prompt, at: time)
            if matched[time % 3] != 2 && !matched.contains(2) { Issue.record("\(time)") }
        }
    }

    @Test(
        arguments: [
            (["windowDurationMs": 0], "0 is not in 1 to 10000"),
            (["windowDurationMs": 10_001], "10001 is not in 1 to 10000"),
            (["maxPerReplica": 0], "0 is neither -1 nor at least 1"),
            (["maxBatchSize": -2], "-2 is not in -1 to"),
            (["maxPrefixTokensToMatch": 63], "63 is less than a block of 64 tokens"),
            (["blockSizeTokens": 0], "0 is not in 1 to 65536"),
            (["minColocateBlocks": -1], "-1 is not at least 0"),
            (["balanceBy": "luck"], "\"luck\" is not one of requests, tokens"),
        ] as [(ConfigurationValue, String)])
    func refusesBadParameters(parameters: ConfigurationValue, message: String) {
        let text = failure(BurstPrefixCacheProducer.self, parameters)
        #expect(text?.contains(message) == true, "\(text ?? "no error")")
    }
}
