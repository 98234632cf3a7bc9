import GatewayCore
import GatewayTesting
import RequestFormats
import Testing

@testable import BuiltinPlugins

extension EndpointSnapshot {
    /// An endpoint called `e<slot>` with what the gateway has in flight there and what was read about it.
    static func loaded(
        _ slot: Int,
        requests: Int = 0,
        tokens: Int = 0,
        metrics: EndpointMetrics = EndpointMetrics(),
        metricsUpdatedAt: MonotonicInstant? = MonotonicInstant(nanoseconds: 0),
        attributes: [String: Double] = [:]
    ) -> EndpointSnapshot {
        let endpoint = EndpointSnapshot(
            id: EndpointID(name: "e\(slot)"),
            slot: slot,
            address: EndpointAddress(host: "10.0.0.1", port: 8_000 + slot),
            metrics: metrics,
            metricsUpdatedAt: metricsUpdatedAt,
            attributes: attributes
        )
        for request in 0..<requests { endpoint.load.add(tokens: request == 0 ? tokens : 0) }
        return endpoint
    }
}

@Suite struct InFlightLoadProducerTests {
    /// A producer with the data that it reads, and what a scorer behind it sees.
    private struct Rig {
        let producer: InFlightLoadProducer
        let matches: DataWriter<PrefixCacheMatches>
        let loads: DataReader<InFlightLoads>
        let slotCount: Int

        init(_ parameters: ConfigurationValue? = nil) throws {
            var context = PluginContext(clock: SystemMonotonicClock())
            matches = context.produce(PrefixCacheMatches.key, as: ApproximatePrefixCacheProducer.descriptor.type)
            producer = try make(InFlightLoadProducer.self, parameters, context: &context)
            loads = context.consume(InFlightLoads.key)
            slotCount = context.slotCount
        }

        /// What the request adds to each endpoint, by slot.
        func tokens(
            input: Int,
            maxOutput: Int? = nil,
            blocks: Int? = nil,
            blockSize: Int = 64,
            matched: [Int32],
            askedFor slots: [Int]? = nil
        ) throws -> [Int] {
            let request = InferenceRequest(id: "r", model: "m", inputTokens: input, maxOutputTokens: maxOutput)
            var context = SchedulingContext.sample(request, slotCount: slotCount)
            if let blocks {
                context.scratch[matches] = PrefixCacheMatches(
                    hashes: (0..<blocks).map { UInt64($0) },
                    blockSizeTokens: blockSize,
                    matchedBlocks: matched
                )
            }
            producer.produce(for: Candidates(matched.indices.map { .loaded($0) }), context: &context)
            let loads = try #require(context.scratch[loads])
            return (slots ?? Array(matched.indices)).map { slot in
                let endpoint = EndpointSnapshot.loaded(slot)
                #expect(producer.load(of: context, on: endpoint).tokens == loads.uncachedTokens(on: endpoint))
                return loads.uncachedTokens(on: endpoint)
            }
        }
    }

    @Test(arguments: [
        // input, blocks, matched, uncached
        (640, 10, [0, 5, 10], [640, 320, 0]),
        // The prompt goes on behind what is matched.
        (1_000, 10, [0, 5, 10], [1_000, 680, 360]),
        // The last block is partial and counts the tokens that it has.
        (100, 2, [0, 1, 2], [100, 36, 0]),
        (10, 1, [0, 1], [10, 0]),
        (0, 0, [0], [0]),
        (0, 3, [2], [0]),
    ])
    func cachedTokensDoNotCount(input: Int, blocks: Int, matched: [Int32], expected: [Int]) throws {
        #expect(try Rig().tokens(input: input, blocks: blocks, matched: matched) == expected)
    }

    @Test func withoutMatchesTheWholePromptCounts() throws {
        #expect(try Rig().tokens(input: 100, matched: [0, 0]) == [100, 100])
        let late = try Rig().tokens(input: 100, blocks: 2, matched: [1], askedFor: [0, 9])
        #expect(late == [36, 100], "an endpoint that came later has nothing cached")
    }

    @Test func impossibleMatchesDoNotTrap() throws {
        #expect(try Rig().tokens(input: 100, blocks: 1, blockSize: .max, matched: [1, 0]) == [0, 100])
        #expect(try Rig().tokens(input: 100, blocks: 1, blockSize: .max, matched: [2]) == [0])
        #expect(try Rig().tokens(input: .max, blocks: 1, matched: [0]) == [.max])
    }

    @Test(
        arguments: [
            // input, request's bound, parameters, tokens
            (100, nil, ["addEstimatedOutputTokens": true], 250),
            (101, nil, ["addEstimatedOutputTokens": true], 253),
            (100, 30, ["addEstimatedOutputTokens": true], 130),
            (100, 900, ["addEstimatedOutputTokens": true], 250),
            (100, nil, ["addEstimatedOutputTokens": true, "maxEstimatedOutputTokens": 20], 120),
            (100, 10, ["addEstimatedOutputTokens": true, "maxEstimatedOutputTokens": 20], 110),
            (100, nil, ["addEstimatedOutputTokens": true, "maxEstimatedOutputTokens": 0], 100),
            (100, nil, ["addEstimatedOutputTokens": true, "outputRatio": 0], 100),
            (100, nil, ["addEstimatedOutputTokens": true, "outputRatio": 0.25], 125),
            (100, nil, ["addEstimatedOutputTokens": true, "outputRatio": 1e300], 100 + (1 << 53)),
            (0, 50, ["addEstimatedOutputTokens": true], 0),
            (.max, nil, ["addEstimatedOutputTokens": true], .max),
            // A bound that no request can mean.
            (100, -5, ["addEstimatedOutputTokens": true], 250),
            (100, nil, ["outputRatio": 3], 100),
        ] as [(Int, Int?, ConfigurationValue, Int)])
    func outputIsEstimatedFromTheWholePrompt(
        input: Int,
        bound: Int?,
        parameters: ConfigurationValue,
        expected: Int
    ) throws {
        #expect(try Rig(parameters).tokens(input: input, maxOutput: bound, matched: [0]) == [expected])
    }

    @Test func cachedInputLeavesTheOutput() throws {
        let rig = try Rig(["addEstimatedOutputTokens": true])
        #expect(try rig.tokens(input: 128, blocks: 2, matched: [0, 2]) == [320, 192])
    }

    @Test func promptsCountUntilTheFirstByteAndOutputsToTheEnd() throws {
        for (parameters, lastsToEnd) in [(nil, false), (["addEstimatedOutputTokens": true], true)]
            as [(ConfigurationValue?, Bool)]
        {
            let rig = try Rig(parameters)
            let context = SchedulingContext.sample(InferenceRequest(id: "r", model: "m"), slotCount: rig.slotCount)
            #expect(rig.producer.load(of: context, on: .loaded(0)).lastsToEnd == lastsToEnd)
        }
    }

    @Test func picturesCountAsTheTokenProducerSays() throws {
        var making = PluginContext(clock: SystemMonotonicClock())
        let tokens = try make(TokenProducer.self, context: &making)
        let producer = try make(InFlightLoadProducer.self, context: &making)
        let byLength = try make(ContextLengthAware.self, ["enableFiltering": true], context: &making)
        let url = "data:image/png;base64," + String(repeating: "A", count: 100_000)
        let chat = try request(
            chatBody(#"[{"type":"image_url","image_url":{"url":"\#(url)"}}]"#), as: .chatCompletions)
        #expect(chat.inputTokens > 25_000)
        var context = SchedulingContext.sample(chat, slotCount: making.slotCount)
        var candidates = Candidates([
            .sample("e0", labels: ["llm-d.ai/context-length-range": "0-1000"]),
            .sample("e1", slot: 1, labels: ["llm-d.ai/context-length-range": "1001-99999"]),
        ])
        #expect(producer.load(of: context, on: candidates[0]).tokens == chat.inputTokens, "nobody has counted")
        tokens.produce(for: candidates, context: &context)
        producer.produce(for: candidates, context: &context)
        #expect((225..<400).contains(producer.load(of: context, on: candidates[0]).tokens))
        let found = scores(byLength, candidates, context: context)
        #expect(found[0] >= 0.3 && found[1] < 0.3)
        byLength.filter(&candidates, context: &context)
        #expect(candidates.positions == [0])
    }

    @Test func aRequestThatWasNotProducedForCountsItsPrompt() throws {
        let rig = try Rig()
        let request = InferenceRequest(id: "r", model: "m", inputTokens: 70)
        let context = SchedulingContext.sample(request, slotCount: rig.slotCount)
        #expect(rig.producer.load(of: context, on: .loaded(3)) == LoadEstimate(tokens: 70))
    }

    @Test(
        arguments: [
            (["outputRatio": -0.1], "-0.1 is not in 0.0 to"),
            (["maxEstimatedOutputTokens": -1], "-1 is not at least 0"),
            (["addEstimatedOutputToken": true], "did you mean \"addEstimatedOutputTokens\"?"),
        ] as [(ConfigurationValue, String)])
    func refusesBadParameters(parameters: ConfigurationValue, message: String) {
        let text = failure(InFlightLoadProducer.self, parameters)
        #expect(text?.contains(message) == true, "\(text ?? "no error")")
    }

    @Test func sharingBetweenReplicasIsWarnedOf() throws {
        #expect(try warnings(InFlightLoadProducer.self, ["syncCrossReplicaState": true]).count == 1)
        #expect(try warnings(InFlightLoadProducer.self, ["syncCrossReplicaState": false]).isEmpty)
        #expect(try warnings(InFlightLoadProducer.self, [:]).isEmpty)
    }
}

/// What making a plugin warns of.
func warnings<Type: Plugin>(_ type: Type.Type, _ parameters: ConfigurationValue) throws -> [String] {
    var context = PluginContext(clock: SystemMonotonicClock())
    let decoder = ParameterDecoder(value: parameters, path: "parameters")
    _ = try BuiltinCatalogue.registry().make(
        type: type.descriptor.type, name: "plugin", parameters: decoder, context: &context
    )
    return decoder.warnings.map(\.message)
}
