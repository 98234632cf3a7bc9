import GatewayCore
import GatewayTesting
import RequestFormats
import Testing

@testable import BuiltinPlugins

/// A pool that knows which media its endpoints were sent.
private struct EncoderPool {
    let tokens: TokenProducer
    let producer: EncoderCacheProducer
    let scorer: EncoderCacheScorer
    let slotCount: Int
    var endpoints: [EndpointSnapshot]

    init(endpoints: Int = 3, _ parameters: ConfigurationValue? = nil) throws {
        var context = PluginContext(clock: SystemMonotonicClock())
        tokens = try make(TokenProducer.self, context: &context)
        producer = try make(EncoderCacheProducer.self, parameters, context: &context)
        scorer = try make(EncoderCacheScorer.self, context: &context)
        slotCount = context.slotCount
        self.endpoints = (0..<endpoints).map { .sample("e\($0)", slot: $0) }
    }

    func context(_ urls: [String]) throws -> SchedulingContext {
        let blocks = urls.map { #"{"type":"image_url","image_url":{"url":"\#($0)"}}"# }
        let body = try request(chatBody("[" + blocks.joined(separator: ",") + "]"), as: .chatCompletions)
        var context = SchedulingContext.sample(body, slotCount: slotCount)
        tokens.produce(for: Candidates(endpoints), context: &context)
        producer.produce(for: Candidates(endpoints), context: &context)
        return context
    }

    func scores(_ urls: String...) throws -> [Double] {
        BuiltinPluginsTests.scores(scorer, Candidates(endpoints), context: try context(urls))
    }

    func send(_ urls: [String], to index: Int, encoders: [Int] = [], profile: String = "encode") throws {
        var context = try context(urls)
        let primary = ProfileResult(profile: "default", endpoints: [endpoints[index]])
        let encode =
            encoders.isEmpty ? [] : [ProfileResult(profile: profile, endpoints: encoders.map { endpoints[$0] })]
        let decision = SchedulingDecision(primary: primary, secondary: encode, encodeProfile: profile)
        producer.willSend(decision, context: &context)
    }
}

@Suite struct EncoderCacheTests {
    @Test func theScoreIsTheShareOfTheMediaThatAnEndpointHolds() throws {
        let pool = try EncoderPool()
        #expect(try pool.scores("a", "b") == [0, 0, 0])
        try pool.send(["a", "b"], to: 0)
        try pool.send(["c", "a"], to: 2)
        #expect(try pool.scores("a", "b") == [1, 0, 0.5])
        #expect(try pool.scores("d", "b", "a", "c") == [0.5, 0, 0.5], "the order does not count")
        #expect(try pool.scores("b", "b", "b", "c") == [0.5, 0, 0.5], "equal media count once")
        #expect(try pool.scores("d") == [0, 0, 0])
    }

    @Test func lookUpsTellWhatAnEndpointHolds() throws {
        let pool = try EncoderPool()
        try pool.send(["a"], to: 0)
        let context = try pool.context(["a", "b", "a"])
        let (held, missing) = (
            MediaLookUp(modality: "image", isHeld: true), MediaLookUp(modality: "image", isHeld: false)
        )
        #expect(pool.producer.lookUps(of: context, on: pool.endpoints[0]) == [held, missing])
        #expect(pool.producer.lookUps(of: context, on: pool.endpoints[1]) == [missing, missing])
        #expect(pool.producer.lookUps(of: try pool.context([]), on: pool.endpoints[0]) == [])
        pool.producer.endpointDidLeave(pool.endpoints[0])
        #expect(pool.producer.lookUps(of: context, on: pool.endpoints[0]) == [missing, missing])
    }

    @Test func aRequestWithoutMediaHasNoScore() throws {
        let pool = try EncoderPool()
        try pool.send(["a"], to: 0)
        #expect(try pool.scores() == [0, 0, 0])
        #expect(
            BuiltinPluginsTests.scores(
                pool.scorer, Candidates(pool.endpoints), context: .sample(slotCount: pool.slotCount)) == [0, 0, 0])
    }

    @Test func theProfileForEncodeMayHaveAnotherName() throws {
        let pool = try EncoderPool()
        try pool.send(["a"], to: 0, encoders: [2], profile: "vision")
        #expect(try pool.scores("a") == [1, 0, 1])
    }

    @Test func mediaThatManyHoldCountForEachCandidate() throws {
        var pool = try EncoderPool(endpoints: 12)
        for index in 0..<12 { try pool.send(["a"], to: index) }
        try pool.send(["b"], to: 3)
        #expect(try pool.scores("a", "b") == (0..<12).map { $0 == 3 ? 1 : 0.5 })
        // Others hold them too, in slots behind those of the candidates.
        pool.endpoints.removeLast(9)
        #expect(try pool.scores("a", "b") == [0.5, 0.5, 0.5])
    }

    @Test func endpointsThatEncodeForAnotherHoldTheMediaToo() throws {
        let pool = try EncoderPool(endpoints: 4)
        try pool.send(["a"], to: 0, encoders: [2, 3])
        #expect(try pool.scores("a") == [1, 0, 1, 1])
    }

    @Test func theCacheHoldsAsMuchAsConfigured() throws {
        let pool = try EncoderPool(endpoints: 2, ["cacheSizeInMBPerServer": 5])
        try pool.send(["a"], to: 0)
        try pool.send(["b"], to: 0)
        try pool.send(["a"], to: 0)
        try pool.send(["c"], to: 0)
        try pool.send(["b"], to: 1)
        #expect(try pool.scores("a", "b", "c") == [2.0 / 3, 1.0 / 3], "two entries, and b was used longest ago")
        let smallest = try EncoderPool(endpoints: 1, ["cacheSizeInMBPerServer": 1])
        try smallest.send(["a"], to: 0)
        #expect(try smallest.scores("a") == [1])
    }

    @Test func anEndpointThatLeftOrStartedAnewHoldsNothing() throws {
        var pool = try EncoderPool()
        for index in 0..<3 { try pool.send(["a"], to: index) }
        let left = pool.endpoints[0]
        pool.producer.endpointDidLeave(left)
        #expect(try pool.scores("a") == [0, 1, 1])
        try pool.send(["a"], to: 0)
        #expect(try pool.scores("a") == [0, 1, 1], "a request on its way to it adds nothing")
        pool.endpoints[0] = .sample("new", slot: 0, incarnation: 1)
        pool.endpoints[1] = .sample("e1", slot: 1, metrics: EndpointMetrics(engineRestarts: 1))
        #expect(try pool.scores("a") == [0, 0, 1])
        try pool.send(["a"], to: 1)
        #expect(try pool.scores("a") == [0, 1, 1])
    }

    @Test(
        arguments: [
            (["cacheSizeInMBPerServer": "4Gi"], "whole number"),
            (["cacheSizeInMBPerSever": 4], "did you mean \"cacheSizeInMBPerServer\"?"),
        ] as [(ConfigurationValue, String)])
    func refusesBadParameters(parameters: ConfigurationValue, message: String) {
        let text = failure(EncoderCacheProducer.self, parameters)
        #expect(text?.contains(message) == true, "\(text ?? "no error")")
    }

    @Test(arguments: [0, -5])
    func aSizeOfNothingMeansTheDefault(size: Int) throws {
        var context = PluginContext(clock: SystemMonotonicClock())
        let decoder = ParameterDecoder(
            value: ["cacheSizeInMBPerServer": ConfigurationValue(.int(Int64(size)))],
            path: "parameters"
        )
        _ = EncoderCacheProducer(parameters: decoder, context: &context)
        #expect(decoder.warnings.map(\.message) == ["\(size) means 4096"])
        try decoder.finish()
    }
}
