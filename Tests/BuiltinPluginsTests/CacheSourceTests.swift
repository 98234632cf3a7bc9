import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

@Suite struct CacheSourceTests {
    private static let header = "x-kv-cache-source-host-port"

    /// What the header says when the endpoint in `slot` answers and `prefill` computes the prompt.
    private func source(
        _ parameters: ConfigurationValue? = nil,
        matches: [Int32]?,
        queues: [Int] = [0, 0, 0, 0],
        answering slot: Int = 0,
        prefill: (profile: String, slot: Int)? = nil,
        decisionPrefillProfile: String = "prefill",
        seed: UInt64 = 1,
        tokens: PromptTokens? = nil
    ) throws -> String? {
        var making = PluginContext(clock: SystemMonotonicClock())
        let data = TestData(tokens: tokens, matches: matches, context: &making)
        let plugin = try make(CacheSourceProducer.self, parameters, context: &making)
        let candidates = Candidates.sample(queues.map { EndpointMetrics(waitingQueueSize: $0) })
        let request = InferenceRequest.with(inputTokens: 1_000)
        var context = SchedulingContext.sample(request, slotCount: making.slotCount, seed: seed)
        data.produce(for: candidates, context: &context)
        plugin.produce(for: candidates, context: &context)
        let secondary = prefill.map { [ProfileResult(profile: $0.profile, endpoints: [candidates[$0.slot]])] } ?? []
        let decision = SchedulingDecision(
            primary: ProfileResult(profile: "decode", endpoints: [candidates[slot]]),
            secondary: secondary,
            prefillProfile: decisionPrefillProfile
        )
        plugin.willSend(decision, context: &context)
        let headers = context.requestHeaders
        // What a client says of it never goes on.
        #expect(headers.set.contains { $0.name == Self.header } != headers.remove.contains(Self.header))
        return headers.set.first { $0.name == Self.header }?.value
    }

    @Test func namesWhoHoldsMore() throws {
        #expect(try source(matches: [0, 0, 5]) == "10.0.0.3:8000")
        #expect(try source(matches: [5, 0, 5], answering: 2) == nil)
        #expect(try source(matches: [0, 0, 0]) == nil)
        #expect(try source(matches: []) == nil)
        #expect(try source(matches: nil) == nil)
    }

    @Test func aShortLeadIsNotWorthATransfer() throws {
        #expect(try source(["minCachedTokenDelta": 30], matches: [2, 0, 5]) == "10.0.0.3:8000")
        #expect(try source(["minCachedTokenDelta": 31], matches: [2, 0, 5]) == nil)
        #expect(failure(CacheSourceProducer.self, ["minCachedTokenDelta": 0])?.contains("0 is not at least 1") == true)
    }

    /// Of a lead of 300 tokens of blocks 280 are the bytes of a picture of 20 tokens.
    @Test func aPictureIsWorthItsTokens() throws {
        let picture = PromptTokens.Feature(modality: .image, hash: 1, tokens: 5..<25, bytes: 20..<1_140)
        let tokens = PromptTokens(count: 500, features: [picture])
        for (least, expected) in [(40, "10.0.0.3:8000"), (41, nil)] as [(Int64, String?)] {
            let parameters: ConfigurationValue = ["minCachedTokenDelta": ConfigurationValue(.int(least))]
            #expect(try source(parameters, matches: [0, 0, 30], tokens: tokens) == expected)
        }
    }

    @Test func whoComputesThePromptIsCompared() throws {
        #expect(try source(matches: [0, 5, 5], prefill: ("prefill", 1)) == nil)
        #expect(try source(matches: [5, 0, 0], prefill: ("prefill", 1)) == "10.0.0.1:8000")
        #expect(try source(matches: [5, 0, 0], prefill: ("encode", 1)) == nil)
        // The profile is the handler's, unless the parameters say another.
        #expect(try source(matches: [5, 0], prefill: ("p", 1), decisionPrefillProfile: "p") == "10.0.0.1:8000")
        #expect(try source(["prefillProfileName": "q"], matches: [5, 0], prefill: ("q", 1)) == "10.0.0.1:8000")
        #expect(try source(["prefillProfileName": "q"], matches: [5, 0], prefill: ("prefill", 1)) == nil)
    }

    /// Those within a block of the longest match share the work, the busy ones less of it.
    @Test func sourcesAreDrawnByTheirQueues() throws {
        var counts: [String: Int] = [:]
        for seed in 1...2000 {
            let name = try source(matches: [0, 9, 8, 7], queues: [0, 3, 0, 0], seed: UInt64(seed))
            counts[name ?? "none", default: 0] += 1
        }
        #expect(Set(counts.keys) == ["10.0.0.2:8000", "10.0.0.3:8000"])
        // A quarter of the weight of an idle one: one in five, with a standard deviation of 18.
        #expect((310...490).contains(counts["10.0.0.2:8000", default: 0]))
    }

    @Test func impossibleQueuesDoNoHarm() throws {
        #expect(try source(matches: [0, 9], queues: [0, .min]) == "10.0.0.2:8000")
        #expect(try source(matches: [0, 9], queues: [0, .max]) == "10.0.0.2:8000")
    }
}
