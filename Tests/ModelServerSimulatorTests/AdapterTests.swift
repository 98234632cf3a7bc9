import ModelServerSimulator
import Testing

@Suite("Simulated engine: adapters")
struct AdapterTests {
    private func request(_ adapter: String?, _ family: UInt32 = 0, tokens: Int = 1) -> SimulatedRequest {
        SimulatedRequest(prompt: prompt(10, family: family), output: .exactly(tokens), adapter: adapter)
    }

    @Test("The first request of an adapter waits for its loading, the next one does not")
    func loading() throws {
        var engine = try SimulatedEngine(parameters: roundParameters())
        let first = try engine.submit(request("a"), now: .zero)
        var events = engine.advance(to: milliseconds(50))
        #expect(engine.counters.waitingForAdapter == 1)
        #expect(engine.counters.waitingAdapters == ["a"])
        #expect(engine.counters.residentAdapters.isEmpty)
        events += engine.runToEnd()
        #expect(events.tokenTimes(of: first) == [110])
        #expect(engine.counters.residentAdapters == ["a"])
        let second = try engine.submit(request("a", 1), now: milliseconds(200))
        let secondEvents = engine.runToEnd()
        #expect(secondEvents.tokenTimes(of: second) == [210])
        #expect(engine.counters.totals.adapterLoads == 1)
    }

    @Test("Requests that need no loading pass the one that waits for it")
    func passing() throws {
        var engine = try SimulatedEngine(parameters: roundParameters())
        let loading = try engine.submit(request("a"), now: .zero)
        let base = try engine.submit(request(nil, 1), now: .zero)
        let events = engine.runToEnd()
        #expect(events.tokenTimes(of: base) == [10])
        #expect(events.tokenTimes(of: loading) == [110])
    }

    @Test("With every slot in use a further adapter waits until one is idle")
    func slotsInUse() throws {
        var engine = try SimulatedEngine(parameters: roundParameters { $0.maxLoRAs = 1 })
        let first = try engine.submit(request("a", tokens: 4), now: .zero)
        let second = try engine.submit(request("b", 1), now: .zero)
        var events = engine.advance(to: milliseconds(125))
        #expect(engine.counters.runningAdapters == ["a"])
        #expect(engine.counters.waitingAdapters == ["b"])
        #expect(engine.wantedAdapters == ["a", "b"])
        events += engine.runToEnd()
        #expect(events.tokenTimes(of: first) == [110, 120, 130, 140])
        #expect(events.tokenTimes(of: second) == [250])
        #expect(engine.counters.residentAdapters == ["b"])
    }

    @Test("The adapter used least recently gives way")
    func leastRecentlyUsed() throws {
        var engine = try SimulatedEngine(parameters: roundParameters { $0.maxLoRAs = 2 })
        for (index, adapter) in ["a", "b", "a", "c"].enumerated() {
            _ = try engine.submit(request(adapter, UInt32(index)), now: milliseconds(Int64(index) * 1_000))
            _ = engine.runToEnd()
        }
        #expect(engine.counters.residentAdapters == ["a", "c"])
        engine.removeAdapter("a")
        #expect(engine.counters.residentAdapters == ["c"])
    }

    @Test("An adapter removed while sequences run with it stays until they end")
    func removalInUse() throws {
        var engine = try SimulatedEngine(parameters: roundParameters { $0.maxLoRAs = 1 })
        let id = try engine.submit(request("a", tokens: 3), now: .zero)
        var events = engine.advance(to: milliseconds(115))
        engine.removeAdapter("a")
        events += engine.runToEnd()
        #expect(events.tokenTimes(of: id) == [110, 120, 130])
        let next = try engine.submit(request("b"), now: milliseconds(1_000))
        let nextEvents = engine.runToEnd()
        #expect(nextEvents.tokenTimes(of: next) == [1_110])
    }

    @Test("Cancelling the request an adapter was loaded for leaves the engine idle")
    func cancelWhileLoading() throws {
        var engine = try SimulatedEngine(parameters: roundParameters())
        let id = try engine.submit(request("a"), now: .zero)
        _ = engine.advance(to: milliseconds(10))
        let ended = engine.cancel(id, now: milliseconds(10))
        #expect(ended)
        #expect(engine.nextEventTime() == nil)
        let leftOver = engine.runToEnd()
        #expect(leftOver.isEmpty)
    }
}
