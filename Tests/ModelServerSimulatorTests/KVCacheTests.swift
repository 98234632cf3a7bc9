import ModelServerSimulator
import Testing

@Suite("Simulated engine: KV cache")
struct KVCacheTests {
    @Test("A cached prefix shortens the time to the first token by exactly its tokens")
    func prefixHit() throws {
        var engine = try SimulatedEngine(parameters: roundParameters())
        _ = try engine.submit(SimulatedRequest(prompt: prompt(30), output: .exactly(1)), now: .zero)
        _ = engine.runToEnd()
        // 30 tokens fill seven blocks of four. The longer prompt begins with the same 30 tokens.
        let id = try engine.submit(SimulatedRequest(prompt: prompt(50), output: .exactly(1)), now: milliseconds(1_000))
        let events = engine.runToEnd()
        #expect(events.usage(of: id)?.cachedTokens == 28)
        #expect(events.tokenTimes(of: id) == [1_022])
        #expect(engine.counters.totals.prefixQueryTokens == 80)
        #expect(engine.counters.totals.prefixHitTokens == 28)
    }

    @Test("Of a prompt that is cached whole, the last block is computed all the same")
    func lastTokenIsComputed() throws {
        var engine = try SimulatedEngine(parameters: roundParameters())
        let request = SimulatedRequest(prompt: prompt(16), output: .exactly(1))
        _ = try engine.submit(request, now: .zero)
        _ = engine.runToEnd()
        let id = try engine.submit(request, now: milliseconds(100))
        let events = engine.runToEnd()
        #expect(events.usage(of: id)?.cachedTokens == 12)
        #expect(events.tokenTimes(of: id) == [104])
    }

    @Test("A block is shared only behind an equal prefix, with the same adapter, and if caching is on")
    func whatIsNotShared() throws {
        func cached(_ change: (inout EngineParameters) -> Void, _ second: SimulatedRequest) throws -> Int? {
            var engine = try SimulatedEngine(parameters: roundParameters(change))
            _ = try engine.submit(SimulatedRequest(prompt: prompt(16), output: .exactly(1)), now: .zero)
            _ = engine.runToEnd()
            let id = try engine.submit(second, now: milliseconds(100))
            return engine.runToEnd().usage(of: id)?.cachedTokens
        }
        let same = SimulatedRequest(prompt: prompt(16), output: .exactly(1))
        var shifted = prompt(16)
        shifted[0] = SimulatedToken(value: 99)
        #expect(try cached({ _ in }, same) == 12)
        #expect(try cached({ _ in }, SimulatedRequest(prompt: shifted, output: .exactly(1))) == 0)
        #expect(try cached({ _ in }, SimulatedRequest(prompt: prompt(16), output: .exactly(1), adapter: "a")) == 0)
        #expect(try cached({ $0.prefixCaching = false }, same) == 0)
    }

    @Test("The next turn of a conversation finds the blocks of the answer before it")
    func generatedTokensAreCached() throws {
        var engine = try SimulatedEngine(parameters: roundParameters())
        let first = try engine.submit(SimulatedRequest(prompt: prompt(10), output: .exactly(11)), now: .zero)
        let answer = engine.runToEnd().text(of: first)
        let next = prompt(10) + SimulatedToken.tokens(of: answer.utf8) + prompt(5, family: 3)
        let id = try engine.submit(SimulatedRequest(prompt: next, output: .exactly(1)), now: milliseconds(900))
        // 21 tokens, of which the last was never computed: five full blocks.
        let events = engine.runToEnd()
        #expect(events.usage(of: id)?.cachedTokens == 20)
    }

    @Test("Full blocks give way in order of their last use, a sequence's end before its beginning")
    func eviction() throws {
        // Ten usable blocks; each prompt leaves four full blocks behind.
        var engine = try SimulatedEngine(parameters: roundParameters { $0.blockCount = 11 })
        func run(_ family: UInt32, _ count: Int = 16) throws -> Int? {
            let request = SimulatedRequest(prompt: prompt(count, family: family), output: .exactly(1))
            let id = try engine.submit(request, now: .zero)
            return engine.runToEnd().usage(of: id)?.cachedTokens
        }
        _ = try run(1)
        _ = try run(2)
        _ = try run(1, 17)
        #expect(engine.counters.cachedBlocks == 8)
        #expect(engine.counters.totals.evictedBlocks == 0)
        // Two blocks are blank, so this takes the last two of family 2, the one used less recently.
        _ = try run(3)
        #expect(engine.counters.totals.evictedBlocks == 2)
        #expect(try run(1, 17) == 16)
        #expect(engine.counters.totals.evictedBlocks == 3)
        #expect(try run(2, 17) == 4)
    }

    @Test("Usage counts the blocks sequences hold, of all but the null block")
    func usage() throws {
        var engine = try SimulatedEngine(parameters: roundParameters { $0.blockCount = 41 })
        let id = try engine.submit(SimulatedRequest(prompt: prompt(20), output: .exactly(20)), now: .zero)
        _ = engine.advance(to: milliseconds(1))
        #expect(engine.counters.cacheUsage == 5.0 / 40)
        _ = engine.advance(to: milliseconds(21))
        #expect(engine.counters.cacheUsage == 6.0 / 40)
        // A second request with the same prompt shares four blocks and has one of its own.
        let twin = try engine.submit(
            SimulatedRequest(prompt: prompt(20), output: .exactly(20)), now: milliseconds(25)
        )
        _ = engine.advance(to: milliseconds(31))
        #expect(engine.counters.usedBlocks == 7)
        let firstEnded = engine.cancel(id, now: milliseconds(32))
        #expect(firstEnded)
        let twinEnded = engine.cancel(twin, now: milliseconds(32))
        #expect(twinEnded)
        #expect(engine.counters.cacheUsage == 0)
        #expect(engine.counters.cachedBlocks > 0)
        engine.resetPrefixCache()
        #expect(engine.counters.cachedBlocks == 0)
    }

    @Test("When blocks run out, the sequence admitted last starts over, and its answer is the same")
    func preemption() throws {
        let requests = (0..<2).map { SimulatedRequest(prompt: prompt(16, family: $0), output: .exactly(12)) }
        func texts(blockCount: Int) throws -> (texts: [String], counters: EngineCounters, order: [SimulatedRequestID]) {
            var engine = try SimulatedEngine(parameters: roundParameters { $0.blockCount = blockCount })
            let ids = try requests.map { try engine.submit($0, now: .zero) }
            let events = engine.runToEnd()
            let order = events.filter { if case .finished = $0.kind { true } else { false } }.map(\.id)
            return (ids.map { events.text(of: $0) }, engine.counters, order)
        }
        let ample = try texts(blockCount: 101)
        // Each sequence needs seven blocks at its end, and there are eleven.
        let scarce = try texts(blockCount: 12)
        #expect(ample.counters.totals.preemptions == 0)
        #expect(scarce.counters.totals.preemptions == 1)
        #expect(scarce.texts == ample.texts)
        #expect(scarce.order == scarce.order.sorted())
        #expect(scarce.counters.usedBlocks == 0)
        #expect(scarce.counters.totals.generationTokens == 24)
        // The second start is not counted as a query of the prefix cache.
        #expect(scarce.counters.totals.prefixQueryTokens == 32)
    }

    @Test("A prompt that does not fit beside the running ones waits for them")
    func waitingForBlocks() throws {
        var engine = try SimulatedEngine(parameters: roundParameters { $0.blockCount = 11 })
        let first = try engine.submit(SimulatedRequest(prompt: prompt(24), output: .exactly(2)), now: .zero)
        let second = try engine.submit(
            SimulatedRequest(prompt: prompt(24, family: 1), output: .exactly(2)), now: .zero
        )
        var events = engine.advance(to: milliseconds(24))
        #expect(engine.counters.waiting == 1)
        events += engine.runToEnd()
        #expect(events.tokenTimes(of: first) == [24, 34])
        #expect(events.tokenTimes(of: second) == [58, 68])
        #expect(engine.counters.totals.preemptions == 0)
    }
}
