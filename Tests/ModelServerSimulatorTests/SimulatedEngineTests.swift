import ModelServerSimulator
import Testing

@Suite("Simulated engine: batching and time")
struct SimulatedEngineTests {
    @Test("A prompt takes its length over the rate, then each token takes the inter-token latency")
    func timesOfOneRequest() throws {
        var engine = try SimulatedEngine(parameters: roundParameters { $0.timeToFirstTokenOverhead = .milliseconds(3) })
        let id = try engine.submit(SimulatedRequest(prompt: prompt(20), output: .exactly(3)), now: milliseconds(7))
        let events = engine.runToEnd()
        #expect(events.tokenTimes(of: id) == [30, 40, 50])
        #expect(events.usage(of: id) == SimulatedUsage(promptTokens: 20, cachedTokens: 0, outputTokens: 3))
        #expect(events.finishReason(of: id) == .length)
        #expect(engine.nextEventTime() == nil)
        let totals = engine.counters.totals
        #expect(abs(totals.timeToFirstToken.sum - 0.023) < 1e-9)
        #expect(totals.timeToFirstToken.count == 1)
        #expect(abs(totals.interTokenLatency.sum - 0.020) < 1e-9)
        #expect(abs(totals.requestLatency.sum - 0.043) < 1e-9)
    }

    @Test("A prompt longer than a step's budget is computed in several steps, between which others decode")
    func chunkedPrefill() throws {
        var engine = try SimulatedEngine(parameters: roundParameters { $0.maxBatchedTokens = 11 })
        let short = try engine.submit(SimulatedRequest(prompt: prompt(5), output: .exactly(4)), now: .zero)
        var events = engine.advance(to: milliseconds(5))
        let long = try engine.submit(
            SimulatedRequest(prompt: prompt(20, family: 1), output: .exactly(1)), now: milliseconds(5)
        )
        events += engine.runToEnd()
        // Step one was planned before the second request came; in the next two, one token decodes and ten are prompt.
        #expect(events.tokenTimes(of: short) == [5, 15, 35, 55])
        #expect(events.tokenTimes(of: long) == [55])
    }

    @Test("A step lasts longer the more sequences decode in it")
    func decodeSlowsWithTheBatch() throws {
        var engine = try SimulatedEngine(
            parameters: roundParameters {
                $0.interTokenLatencyPerSequence = .milliseconds(2)
                $0.prefillTokensPerSecond = .infinity
            }
        )
        let ids = try (0..<4).map { family in
            try engine.submit(SimulatedRequest(prompt: prompt(4, family: family), output: .exactly(3)), now: .zero)
        }
        let events = engine.runToEnd()
        for id in ids {
            #expect(events.tokenTimes(of: id) == [0, 16, 32])
        }
    }

    @Test("Requests beyond the batch wait in order of arrival")
    func queueing() throws {
        var engine = try SimulatedEngine(parameters: roundParameters { $0.maxRunningSequences = 2 })
        let ids = try (0..<4).map { family in
            try engine.submit(SimulatedRequest(prompt: prompt(5, family: family), output: .exactly(2)), now: .zero)
        }
        var events = engine.advance(to: milliseconds(1))
        #expect(engine.counters.running == 2)
        #expect(engine.counters.waiting == 2)
        events += engine.runToEnd()
        #expect(events.tokenTimes(of: ids[0]) == [10, 20])
        #expect(events.tokenTimes(of: ids[1]) == [10, 20])
        #expect(events.tokenTimes(of: ids[2]) == [30, 40])
        #expect(events.tokenTimes(of: ids[3]) == [30, 40])
        #expect(engine.counters.running == 0)
    }

    @Test("The queue's limit counts running requests too")
    func queueLimit() throws {
        var engine = try SimulatedEngine(
            parameters: roundParameters {
                $0.maxRunningSequences = 1
                $0.maxQueuedRequests = 2
            }
        )
        let request = SimulatedRequest(prompt: prompt(5), output: .exactly(2))
        _ = try engine.submit(request, now: .zero)
        _ = try engine.submit(request, now: .zero)
        #expect(throws: SimulatedRejection.queueFull(limit: 2)) {
            try engine.submit(request, now: .zero)
        }
        #expect(engine.counters.totals.rejectedQueueFull == 1)
        #expect(engine.counters.totals.accepted == 2)
        _ = engine.runToEnd()
        _ = try engine.submit(request, now: milliseconds(500))
    }

    @Test("What cannot be computed is refused with the reason")
    func invalidRequests() throws {
        var engine = try SimulatedEngine(
            parameters: roundParameters {
                $0.maxModelLength = 50
                $0.maxLoRAs = 0
            }
        )
        #expect(throws: SimulatedRejection.tooLong(promptTokens: 41, outputTokens: 10, limit: 50)) {
            try engine.submit(SimulatedRequest(prompt: prompt(41), output: .exactly(10)), now: .zero)
        }
        #expect(throws: SimulatedRejection.tooLong(promptTokens: 50, outputTokens: 1, limit: 50)) {
            try engine.submit(SimulatedRequest(prompt: prompt(50)), now: .zero)
        }
        #expect(throws: SimulatedRejection.tooLong(promptTokens: 1, outputTokens: .max, limit: 50)) {
            try engine.submit(SimulatedRequest(prompt: prompt(1), output: .exactly(.max)), now: .zero)
        }
        #expect(throws: SimulatedRejection.emptyPrompt) {
            try engine.submit(SimulatedRequest(prompt: []), now: .zero)
        }
        #expect(throws: SimulatedRejection.adaptersDisabled(adapter: "a")) {
            try engine.submit(SimulatedRequest(prompt: prompt(1), adapter: "a"), now: .zero)
        }
        #expect(engine.counters.totals.rejectedInvalid == 5)
        #expect(engine.nextEventTime() == nil)
        _ = try engine.submit(SimulatedRequest(prompt: prompt(40), output: .exactly(10)), now: .zero)
    }

    @Test("Outputs end at their limit, by themselves, at the longest sequence, or before the first token")
    func outputs() throws {
        var engine = try SimulatedEngine(parameters: roundParameters { $0.maxModelLength = 60 })
        let natural = try engine.submit(SimulatedRequest(prompt: prompt(8, family: 1)), now: .zero)
        let limited = try engine.submit(
            SimulatedRequest(prompt: prompt(8, family: 1), output: .natural(limit: 1)), now: .zero
        )
        let unbounded = try engine.submit(SimulatedRequest(prompt: prompt(8), output: .unbounded), now: .zero)
        let embedding = try engine.submit(SimulatedRequest(prompt: prompt(8), output: .none), now: .zero)
        let events = engine.runToEnd()
        let naturalTokens = try #require(events.usage(of: natural)?.outputTokens)
        #expect((1...52).contains(naturalTokens))
        #expect(events.usage(of: limited)?.outputTokens == 1)
        #expect(events.usage(of: unbounded)?.outputTokens == 52)
        #expect(events.finishReason(of: unbounded) == .length)
        #expect(events.usage(of: embedding) == SimulatedUsage(promptTokens: 8, cachedTokens: 0, outputTokens: 0))
        #expect(events.tokenTimes(of: embedding).isEmpty)
        #expect(events.text(of: unbounded).utf8.count == 52 * 4)
    }

    @Test("Lengths without a limit lie in their range and differ")
    func naturalLengths() throws {
        var engine = try SimulatedEngine(
            parameters: roundParameters {
                $0.maxNaturalOutputTokens = 20
                $0.blockCount = 5_000
            }
        )
        let ids = try (0..<200).map { try engine.submit(SimulatedRequest(prompt: prompt(3, family: $0)), now: .zero) }
        let events = engine.runToEnd()
        let lengths = ids.compactMap { events.usage(of: $0)?.outputTokens }
        #expect(lengths.count == 200)
        #expect(Set(lengths) == Set(1...20))
        #expect(ids.allSatisfy { events.finishReason(of: $0) == .stop })
    }

    @Test("One seed gives one text; another seed, prompt or variation gives another")
    func determinism() throws {
        func texts(seed: UInt64) throws -> [String] {
            var engine = try SimulatedEngine(parameters: roundParameters { $0.seed = seed })
            let requests = [
                SimulatedRequest(prompt: prompt(9), output: .exactly(12)),
                SimulatedRequest(prompt: prompt(9, family: 1), output: .exactly(12)),
                SimulatedRequest(prompt: prompt(9), output: .exactly(12), variation: 1),
            ]
            let ids = try requests.map { try engine.submit($0, now: .zero) }
            let events = engine.runToEnd()
            return ids.map { events.text(of: $0) }
        }
        let first = try texts(seed: 1)
        #expect(try texts(seed: 1) == first)
        #expect(Set(first + (try texts(seed: 2))).count == 6)
    }

    @Test("Cancelling frees the blocks at once, ends the request silently, and works in every state")
    func cancelling() throws {
        var engine = try SimulatedEngine(parameters: roundParameters { $0.maxRunningSequences = 1 })
        let running = try engine.submit(SimulatedRequest(prompt: prompt(20), output: .exactly(50)), now: .zero)
        let waiting = try engine.submit(SimulatedRequest(prompt: prompt(20), output: .exactly(50)), now: .zero)
        _ = engine.advance(to: milliseconds(35))
        #expect(engine.counters.usedBlocks == 6)
        let runningEnded = engine.cancel(running, now: milliseconds(36))
        #expect(runningEnded)
        #expect(engine.counters.usedBlocks == 0)
        let waitingEnded = engine.cancel(waiting, now: milliseconds(36))
        #expect(waitingEnded)
        let endedTwice = engine.cancel(waiting, now: milliseconds(36))
        #expect(!endedTwice)
        let leftOver = engine.runToEnd()
        #expect(leftOver.isEmpty)
        #expect(engine.counters.totals.cancelled == 2)
    }

    @Test("An instant engine answers within the moment of arrival")
    func instant() throws {
        var engine = try SimulatedEngine(parameters: .instant)
        let id = try engine.submit(
            SimulatedRequest(prompt: prompt(20_000), output: .exactly(300), adapter: "a"), now: milliseconds(5)
        )
        let events = engine.advance(to: milliseconds(5))
        #expect(Set(events.tokenTimes(of: id)) == [5])
        #expect(events.usage(of: id)?.outputTokens == 300)
    }

    @Test("A slowdown stretches the steps that begin after it")
    func slowdown() throws {
        var engine = try SimulatedEngine(parameters: roundParameters())
        let id = try engine.submit(SimulatedRequest(prompt: prompt(10), output: .exactly(3)), now: .zero)
        var events = engine.advance(to: milliseconds(10))
        engine.slowdown = 5
        events += engine.runToEnd()
        #expect(events.tokenTimes(of: id) == [10, 20, 70])
        engine.slowdown = .nan
        #expect(engine.slowdown == 1)
        engine.slowdown = -1
        #expect(engine.slowdown == 0.001)
    }

    private typealias Change = @Sendable (inout EngineParameters) -> Void

    private static let brokenParameters: [(name: String, change: Change)] = [
        ("maxRunningSequences", { $0.maxRunningSequences = 0 }),
        ("maxQueuedRequests", { $0.maxQueuedRequests = -1 }),
        ("maxBatchedTokens", { $0.maxBatchedTokens = 0 }),
        ("prefillTokensPerSecond", { $0.prefillTokensPerSecond = 0 }),
        ("prefillTokensPerSecond", { $0.prefillTokensPerSecond = .nan }),
        ("interTokenLatency", { $0.interTokenLatency = .seconds(-1) }),
        ("blockSizeTokens", { $0.blockSizeTokens = 0 }),
        ("blockCount", { $0.blockCount = 1 }),
        ("maxModelLength", { $0.maxModelLength = 401 }),
        ("maxModelLength", { $0.maxModelLength = 1 }),
        ("maxLoRAs", { $0.maxLoRAs = -1 }),
        ("maxNaturalOutputTokens", { $0.maxNaturalOutputTokens = 0 }),
    ]

    @Test("Parameters out of their range are refused by name", arguments: brokenParameters.indices)
    func invalidParameters(_ index: Int) {
        let (name, change) = Self.brokenParameters[index]
        let error = #expect(throws: EngineParametersError.self) {
            try SimulatedEngine(parameters: roundParameters(change))
        }
        #expect(error?.description.contains(name) == true)
    }
}
