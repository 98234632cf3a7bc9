import ModelServerSimulator
import Testing

@Suite("Simulated engine: nothing is lost")
struct EngineConservationTests {
    /// A generator for tests, equal for equal seeds (xorshift64*).
    struct TestRandom: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state ^= state >> 12
            state ^= state << 25
            state ^= state >> 27
            return state &* 0x2545_F491_4F6C_DD1D
        }
    }

    private static func scarceParameters(_ random: inout TestRandom) -> EngineParameters {
        roundParameters {
            $0.maxRunningSequences = .random(in: 1...8, using: &random)
            $0.maxQueuedRequests = Bool.random(using: &random) ? 20 : nil
            $0.maxBatchedTokens = .random(in: 1...64, using: &random)
            $0.blockSizeTokens = .random(in: 1...8, using: &random)
            $0.blockCount = .random(in: 20...60, using: &random)
            $0.maxLoRAs = .random(in: 1...2, using: &random)
            $0.prefixCaching = Int.random(in: 0..<4, using: &random) > 0
            $0.prefillTokensPerSecond = Bool.random(using: &random) ? 1_000 : .infinity
            $0.timeToFirstTokenOverhead = .milliseconds(Int.random(in: 0...5, using: &random))
            $0.interTokenLatency = .milliseconds(Int.random(in: 0...10, using: &random))
        }
    }

    private static func randomRequest(_ random: inout TestRandom, limit: Int) -> SimulatedRequest {
        let length = Int.random(in: 1...max(1, limit), using: &random)
        let outputs: [SimulatedRequest.Output] = [
            .exactly(.random(in: 1...20, using: &random)), .natural(limit: .random(in: 1...9, using: &random)),
            .natural(limit: nil), .none, .unbounded,
        ]
        return SimulatedRequest(
            prompt: prompt(length, family: .random(in: 0...2, using: &random)),
            output: outputs[Int.random(in: 0..<outputs.count, using: &random)],
            adapter: [nil, nil, "a", "b", "c"][Int.random(in: 0..<5, using: &random)]
        )
    }

    @Test(
        "Whatever is submitted, cancelled and awaited: every request ends once, and all blocks come back",
        arguments: 1...30
    )
    func everyRequestEndsOnce(seed: Int) throws {
        var random = TestRandom(state: UInt64(seed) &* 0x9E37_79B9_7F4A_7C15)
        let parameters = Self.scarceParameters(&random)
        var engine = try SimulatedEngine(parameters: parameters)
        var ledger = EngineLedger(blockSize: parameters.blockSizeTokens)
        var now = SimulatedTime.zero
        for _ in 0..<300 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                let request = Self.randomRequest(&random, limit: parameters.effectiveMaxModelLength / 2)
                do throws(SimulatedRejection) {
                    ledger.tokensOfLiving[try engine.submit(request, now: now)] = 0
                } catch {
                    ledger.rejected += 1
                }
            case 5:
                if let id = ledger.tokensOfLiving.keys.sorted().randomElement(using: &random) {
                    let wasAlive = engine.cancel(id, now: now)
                    check(wasAlive, "a living request could not be cancelled")
                    ledger.end(id)
                }
            default:
                now = now + .milliseconds(Int.random(in: 0...40, using: &random))
                ledger.take(engine.advance(to: now))
            }
            let counters = engine.counters
            check(counters.running + counters.waiting == ledger.tokensOfLiving.count, "a request is lost or doubled")
            check(counters.running <= parameters.maxRunningSequences, "the batch is too large")
            check(counters.runningAdapters.count <= parameters.maxLoRAs, "more adapters run than there are slots")
            check((0...1).contains(counters.cacheUsage), "the cache is more than full")
        }
        ledger.take(engine.runToEnd())

        let counters = engine.counters
        #expect(ledger.tokensOfLiving.isEmpty)
        #expect(counters.usedBlocks == 0)
        #expect(counters.running == 0 && counters.waiting == 0)
        let totals = counters.totals
        #expect(totals.accepted == ledger.ended)
        #expect(totals.finishedStop + totals.finishedLength + totals.cancelled == ledger.ended)
        #expect(totals.rejectedInvalid + totals.rejectedQueueFull == ledger.rejected)
        // A fresh sequence as long as the whole cache shows that not one block was lost.
        let longest = prompt(parameters.effectiveMaxModelLength - 1, family: 9)
        let id = try engine.submit(SimulatedRequest(prompt: longest, output: .exactly(1)), now: now)
        let lastEvents = engine.runToEnd()
        #expect(lastEvents.finishReason(of: id) == .length)
    }

    @Test("Equal calls give equal events")
    func determinism() throws {
        func run() throws -> [EngineEvent] {
            var random = TestRandom(state: 77)
            var engine = try SimulatedEngine(parameters: Self.scarceParameters(&random))
            var events: [EngineEvent] = []
            for step in 0..<200 {
                _ = try? engine.submit(Self.randomRequest(&random, limit: 60), now: milliseconds(Int64(step) * 7))
                events += engine.advance(to: milliseconds(Int64(step) * 7))
            }
            return events + engine.runToEnd()
        }
        let first = try run()
        #expect(!first.isEmpty)
        #expect(try run() == first)
    }
}

/// Records an issue if something does not hold. An expectation costs more than a step of the engine, so it is not used
/// where there are hundreds of thousands.
private func check(_ holds: Bool, _ what: Comment, at location: SourceLocation = #_sourceLocation) {
    if !holds {
        Issue.record(what, sourceLocation: location)
    }
}

/// What a driver of an engine knows of its requests, and the rules their events must keep.
private struct EngineLedger {
    let blockSize: Int
    /// Tokens received by each request that has not ended.
    var tokensOfLiving: [SimulatedRequestID: Int] = [:]
    var rejected = 0
    private(set) var ended = 0
    private var lastEventTime = SimulatedTime.zero

    init(blockSize: Int) {
        self.blockSize = blockSize
    }

    mutating func end(_ id: SimulatedRequestID) {
        tokensOfLiving[id] = nil
        ended += 1
    }

    mutating func take(_ events: [EngineEvent]) {
        for event in events {
            check(event.time >= lastEventTime, "events are out of order")
            lastEventTime = event.time
            guard let tokens = tokensOfLiving[event.id] else {
                Issue.record("an event of a request that is not alive")
                continue
            }
            switch event.kind {
            case .token(_, let index, _):
                check(index == tokens, "a token is missing or comes twice")
                tokensOfLiving[event.id] = tokens + 1
            case .finished(let usage, _):
                check(usage.outputTokens == tokens, "the usage is not what was generated")
                check(usage.cachedTokens < usage.promptTokens, "no token was computed")
                check(usage.cachedTokens % blockSize == 0, "half a block was cached")
                end(event.id)
            }
        }
    }
}
