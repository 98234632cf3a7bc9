import GatewayCore
import Testing

@testable import BuiltinPlugins

private func at(_ seconds: Double) -> MonotonicInstant {
    MonotonicInstant(nanoseconds: Int64(seconds * 1e9))
}

private func waiting(
    _ flow: Int,
    tokens: Int = 100,
    since seconds: Double = 0,
    rank: OrderingRank? = nil
) -> WaitingFlow {
    WaitingFlow(
        flow: flow,
        rank: rank ?? OrderingRank(at(seconds).nanoseconds),
        enqueuedAt: at(seconds),
        uncachedTokens: tokens,
        count: 1
    )
}

private func usage(_ prompt: Int, _ completion: Int, cached: Int = 0) -> TokenUsage {
    TokenUsage(promptTokens: prompt, completionTokens: completion, cachedTokens: cached)
}

extension FairnessState {
    /// Tells of flows by their names, numbered from 0, that all begin to wait.
    fileprivate mutating func begin(_ names: [String]) -> [WaitingFlow] {
        var all: [WaitingFlow] = []
        for (flow, name) in names.enumerated() {
            add(flow: flow, id: name)
            all.append(waiting(flow))
            becameBacklogged(flow: flow, among: all, now: at(0))
        }
        return all
    }

    /// Serves the flows that always wait, and returns how often each was served.
    fileprivate mutating func serve(_ all: [WaitingFlow], times: Int, output: Int? = nil) -> [Int] {
        var counts = [Int](repeating: 0, count: all.count)
        for _ in 0..<times {
            let index = next(among: all, now: at(1))
            counts[index] += 1
            let charge = dispatched(flow: all[index].flow, uncachedTokens: all[index].uncachedTokens, now: at(1))
            let reported = output.map { usage(all[index].uncachedTokens, $0) }
            ended(flow: all[index].flow, charged: charge, usage: reported, now: at(1))
        }
        return counts
    }
}

@Suite struct SimpleFairnessTests {
    @Test(
        arguments: [
            // The smaller rank, then who came earlier, then the smaller number; never the place in the list.
            ([waiting(0, since: 2), waiting(1, since: 1)], 1),
            ([waiting(0, since: 1, rank: .last), waiting(1, since: 9, rank: OrderingRank(5))], 1),
            ([waiting(0, since: 2, rank: .last), waiting(1, since: 1, rank: .last)], 1),
            ([waiting(7, since: 1), waiting(3, since: 1)], 1),
            ([waiting(4)], 0),
        ] as [([WaitingFlow], Int)])
    func globalStrictTakesTheFirstOfAll(flows: [WaitingFlow], expected: Int) throws {
        var state = try make(GlobalStrictFairnessPolicy.self).makeState()
        #expect(state.next(among: flows, now: at(10)) == expected)
    }

    @Test func roundRobinServesInTurn() throws {
        var state = try make(RoundRobinFairnessPolicy.self).makeState()
        let flows = [waiting(2), waiting(0), waiting(1)]
        var served: [Int] = []
        for _ in 0..<6 {
            let flow = flows[state.next(among: flows, now: at(0))].flow
            // Whoever is chosen and does not go keeps the turn.
            #expect(flows[state.next(among: flows, now: at(0))].flow == flow)
            _ = state.dispatched(flow: flow, uncachedTokens: 1, now: at(0))
            served.append(flow)
        }
        #expect(served == [0, 1, 2, 0, 1, 2])
        // A flow without requests is passed over, and the last served one has its turn when it is alone.
        #expect(state.next(among: [waiting(1), waiting(0)], now: at(0)) == 1)
        #expect(state.next(among: [waiting(2)], now: at(0)) == 0)
    }

    @Test func roundRobinIsEvenAmongAThousand() throws {
        var state = try make(RoundRobinFairnessPolicy.self).makeState()
        let all = state.begin((0..<1_000).map { "f\($0)" })
        #expect(state.serve(all, times: 3_000) == Array(repeating: 3, count: 1_000))
    }
}

@Suite struct ProgramAwareFairnessTests {
    private func state(_ parameters: ConfigurationValue? = nil) throws -> any FairnessState {
        var state = try make(ProgramAwareFairnessPolicy.self, parameters).makeState()
        for flow in 0..<3 { state.add(flow: flow, id: "p\(flow)") }
        return state
    }

    @Test func theLeastServedGoesFirst() throws {
        var state = try state()
        state.ended(flow: 0, charged: 0, usage: usage(100, 50), now: at(0))
        state.ended(flow: 1, charged: 0, usage: usage(199, 0), now: at(0))
        // 200 and 199: generated tokens count twice.
        #expect(state.next(among: [waiting(0), waiting(1)], now: at(0)) == 1)
        #expect(state.next(among: [waiting(0), waiting(1), waiting(2)], now: at(0)) == 2)
    }

    @Test func waitingMakesUpForService() throws {
        var state = try state(["lasWeightService": 0.5, "lasWeightHeadWait": 0.5, "lasHalfLifeSeconds": 0])
        state.ended(flow: 0, charged: 0, usage: usage(100, 0), now: at(0))
        state.ended(flow: 1, charged: 0, usage: usage(60, 0), now: at(0))
        // 0.5 * (1 - 1) + 0.5 * 1 against 0.5 * (1 - 0.6) + 0.5 * 1 / 10.
        #expect(state.next(among: [waiting(0, since: 0), waiting(1, since: 9)], now: at(10)) == 0)
        #expect(state.next(among: [waiting(0, since: 0), waiting(1, since: 3)], now: at(10)) == 1)
    }

    @Test func serviceFades() throws {
        var state = try state(["lasWeightHeadWait": 0, "lasHalfLifeSeconds": 10])
        state.ended(flow: 0, charged: 0, usage: usage(100, 0), now: at(0))
        state.ended(flow: 1, charged: 0, usage: usage(30, 0), now: at(20))
        // After two half-lives 25 is left of 100.
        #expect(state.next(among: [waiting(0), waiting(1)], now: at(20)) == 0)
        #expect(state.next(among: [waiting(0), waiting(1)], now: at(1e9)) == 0)
    }

    @Test func aProgramThatComesBackIsRemembered() throws {
        var state = try state()
        state.ended(flow: 0, charged: 0, usage: usage(100, 0), now: at(0))
        state.remove(flow: 0)
        state.add(flow: 0, id: "p9")
        state.add(flow: 5, id: "p0")
        #expect(state.next(among: [waiting(0), waiting(5)], now: at(0)) == 0)
        // Until its time to live is over: then the one that waits longer goes.
        state.ended(flow: 0, charged: 0, usage: usage(1, 0), now: at(7_200))
        #expect(state.next(among: [waiting(5), waiting(0)], now: at(7_200)) == 0)
    }

    @Test func programsAreToldWithTheirWaitsAndWork() throws {
        var state = try state(["lasHalfLifeSeconds": 10])
        #expect(state.programs(now: at(0))?.isEmpty == true)
        for (since, now) in [(0.0, 2.0), (2.0, 6.0)] {
            let index = state.next(among: [waiting(0, since: since)], now: at(now))
            #expect(index == 0)
            _ = state.dispatched(flow: 0, uncachedTokens: 1, now: at(now))
        }
        // A flow that was not chosen last is not counted on what another one waited.
        _ = state.dispatched(flow: 1, uncachedTokens: 1, now: at(7))
        state.ended(flow: 0, charged: 0, usage: usage(100, 50), now: at(10))
        let told = state.programs(now: at(20))
        #expect(
            told == [ProgramFigures(id: "p0", attainedService: 100, waited: .seconds(6), dispatched: 2)]
        )
    }

    @Test func absurdUsageIsNoTrap() throws {
        var state = try state()
        for _ in 0..<3 { state.ended(flow: 0, charged: 0, usage: usage(.max, .max), now: at(0)) }
        state.ended(flow: 1, charged: 0, usage: usage(.min, -1), now: at(0))
        state.ended(flow: 77, charged: 0, usage: nil, now: at(0))
        #expect(state.next(among: [waiting(0), waiting(1)], now: at(0)) == 1)
    }
}

@Suite struct VirtualTokenCounterTests {
    private func state(_ parameters: ConfigurationValue? = nil) throws -> VirtualTokenCounters {
        try #require(try make(VirtualTokenCounterFairnessPolicy.self, parameters).makeState() as? VirtualTokenCounters)
    }

    @Test func tokensAreSharedEvenly() throws {
        var state = try state()
        _ = state.begin(["a", "b"])
        // Requests of 100 and of 300 tokens: three of the small ones for one of the others.
        let all = [waiting(0, tokens: 100), waiting(1, tokens: 300)]
        #expect(state.serve(all, times: 400) == [300, 100])
    }

    @Test func weightsDivideWhatIsCharged() throws {
        var state = try state(["weights": ["a": 2, "c": 0.5]])
        let all = state.begin(["a", "b", "c"])
        #expect(state.serve(all, times: 700) == [400, 200, 100])
    }

    @Test func outputCountsTwiceAndIsExpected() throws {
        var state = try state()
        state.add(flow: 0, id: "a")
        state.add(flow: 1, id: "b")
        #expect(state.dispatched(flow: 0, uncachedTokens: 100, now: at(0)) == 100)
        state.ended(flow: 0, charged: 100, usage: usage(100, 40), now: at(0))
        // Its own mean, and for whoever has none that of all.
        #expect(state.dispatched(flow: 0, uncachedTokens: 100, now: at(0)) == 180)
        #expect(state.dispatched(flow: 1, uncachedTokens: 0, now: at(0)) == 80)
        state.ended(flow: 0, charged: 180, usage: usage(100, 140), now: at(0))
        #expect(state.dispatched(flow: 0, uncachedTokens: 0, now: at(0)) == 100)
        #expect(state.dispatched(flow: 1, uncachedTokens: 0, now: at(0)) == 100)
        state.ended(flow: 1, charged: 80, usage: usage(0, 10), now: at(0))
        #expect(state.dispatched(flow: 1, uncachedTokens: 0, now: at(0)) == 20)
    }

    @Test(
        arguments: [
            // Uncached prompt tokens and twice the generated ones.
            (usage(1_000, 50, cached: 600), 500.0),
            (usage(100, 0, cached: 500), 0),
            // No endpoint got it.
            (TokenUsage.none, 0),
            // Nobody knows.
            (nil, 1_000),
            (usage(.min, .min), 0), (usage(.max, 0), 1e9),
        ] as [(TokenUsage?, Double)])
    func theEndCorrectsTheCharge(usage: TokenUsage?, expected: Double) throws {
        var state = try state()
        state.add(flow: 0, id: "a")
        state.becameBacklogged(flow: 0, among: [waiting(0)], now: at(0))
        let charge = state.dispatched(flow: 0, uncachedTokens: 1_000, now: at(0))
        state.ended(flow: 0, charged: charge, usage: usage, now: at(1))
        #expect(state.counter(of: 0) == expected)
    }

    @Test func whatNobodyGotTeachesNothing() throws {
        var state = try state()
        state.add(flow: 0, id: "a")
        state.ended(flow: 0, charged: 0, usage: usage(1, 100), now: at(0))
        state.ended(flow: 0, charged: 0, usage: TokenUsage.none, now: at(0))
        #expect(state.dispatched(flow: 0, uncachedTokens: 0, now: at(0)) == 200)
    }

    @Test func idlenessIsNotSavedUp() throws {
        var state = try state()
        let all = state.begin(["a", "b", "c"])
        #expect(state.serve(Array(all.prefix(2)), times: 200) == [100, 100])
        // Lifted to the smallest of those that wait.
        state.becameBacklogged(flow: 2, among: all, now: at(2))
        #expect(state.counter(of: 2) == 10_000)
        #expect(state.serve(all, times: 300) == [100, 100, 100])
        // Alone, to the counter of the one that was served last.
        _ = state.serve([all[0]], times: 50)
        state.becameBacklogged(flow: 1, among: [all[1]], now: at(3))
        #expect(state.counter(of: 1) == state.counter(of: 0))
        // Also when that one is forgotten meanwhile.
        state.remove(flow: 1)
        let last = try #require(state.counter(of: 0))
        state.remove(flow: 0)
        state.add(flow: 0, id: "d")
        state.becameBacklogged(flow: 0, among: [all[0]], now: at(4))
        #expect(state.counter(of: 0) == last)
    }

    @Test func aNewFlowIsNotBehindThoseThatWait() throws {
        var state = try state()
        let all = state.begin(["a", "b"])
        // b waits at 0 while a is served up to 5,000.
        _ = state.serve([all[0]], times: 50)
        state.add(flow: 2, id: "c")
        state.becameBacklogged(flow: 2, among: all + [waiting(2)], now: at(1))
        #expect(state.counter(of: 2) == 0)
    }

    @Test func aFlowAheadStaysAhead() throws {
        var state = try state()
        let all = state.begin(["a", "b"])
        _ = state.dispatched(flow: 0, uncachedTokens: 1_000, now: at(0))
        state.becameBacklogged(flow: 0, among: all, now: at(1))
        #expect(state.counter(of: 0) == 1_000)
    }

    @Test func countersKeepTheirPrecision() throws {
        var state = try state(["weights": ["a": 0.001, "b": 0.001, "idle": 1]])
        let all = state.begin(["a", "b", "idle"])
        let big = [waiting(0, tokens: 1_000_000_000), waiting(1, tokens: 1_000_000_000)]
        // 5e17 tokens: a double no longer tells one token from the next there.
        #expect(state.serve(big, times: 1_000) == [500, 500])
        for flow in 0..<2 {
            #expect(abs(try #require(state.counter(of: flow))) <= 3 * VirtualTokenCounters.rebaseDistance)
        }
        #expect(state.serve(Array(all.prefix(2)), times: 1_000) == [500, 500])
        // Whoever was idle all the while comes with the others.
        state.becameBacklogged(flow: 2, among: all, now: at(1))
        #expect(state.counter(of: 2) == (0..<2).compactMap { state.counter(of: $0) }.min())
    }

    @Test func aThousandFlowsShare() throws {
        var state = try state()
        let all = state.begin((0..<1_000).map { "f\($0)" })
        #expect(state.serve(all.reversed(), times: 2_000, output: 10) == Array(repeating: 2, count: 1_000))
    }

    @Test func equalFlowsGoByTheirRequests() throws {
        var state = try state()
        _ = state.begin(["a", "b"])
        #expect(state.next(among: [waiting(0, since: 2), waiting(1, since: 1)], now: at(3)) == 1)
        #expect(state.next(among: [waiting(1, since: 1), waiting(0, since: 1)], now: at(3)) == 1)
    }

    @Test(
        arguments: [
            (["weights": ["a": 0]], "0 is not in 0.001 to 1000000.0"),
            (["weights": ["a": "2"]], "expected a number"),
            (["weights": [1]], "expected an object"),
            (["inputWeight": -1], "-1 is not in 0.0 to 1000.0"),
            (["inputWeight": 0, "outputWeight": 0], "both 0"),
            (["weight": 1], "unknown field \"weight\""),
        ] as [(ConfigurationValue, String)])
    func badParameters(parameters: ConfigurationValue, message: String) {
        #expect(failure(VirtualTokenCounterFairnessPolicy.self, parameters)?.contains(message) == true)
        #expect(failure(DeficitRoundRobinFairnessPolicy.self, parameters)?.contains(message) == true)
    }
}

@Suite struct DeficitRoundRobinTests {
    private func state(_ parameters: ConfigurationValue? = nil) throws -> DeficitCounters {
        try #require(try make(DeficitRoundRobinFairnessPolicy.self, parameters).makeState() as? DeficitCounters)
    }

    private func serve(_ state: inout DeficitCounters, _ all: [WaitingFlow], times: Int) -> [Int] {
        (0..<times).map { _ in
            let chosen = all[state.next(among: all, now: at(0))]
            _ = state.dispatched(flow: chosen.flow, uncachedTokens: chosen.uncachedTokens, now: at(0))
            return chosen.flow
        }
    }

    /// What the closed form must give: the rounds of the paper, one turn after the other.
    private func byTheBook(_ costs: [Double], quanta: [Double], times: Int) -> [Int] {
        var deficits = [Double](repeating: 0, count: costs.count)
        var (served, flow) = ([Int](), 0)
        while served.count < times {
            deficits[flow] += quanta[flow]
            while deficits[flow] >= costs[flow], served.count < times {
                deficits[flow] -= costs[flow]
                served.append(flow)
            }
            flow = (flow + 1) % costs.count
        }
        return served
    }

    @Test(
        arguments: [
            ([100, 100, 100], [100.0, 100, 100]),
            ([100, 300, 50], [100, 100, 100]),
            ([1_000, 70, 999], [100, 100, 100]),
            ([10, 10, 10], [25, 75, 50]),
            ([123, 4_567, 89], [10, 30, 20]),
            ([100_000, 100_000, 99_999], [1, 3, 2]),
            ([7], [1]),
        ] as [([Int], [Double])])
    func roundsAreThoseOfThePaper(costs: [Int], quanta: [Double]) throws {
        let quantum = try #require(quanta.first)
        let weights = quanta.enumerated().map { index, own in
            ConfigurationValue.Member(
                key: "f\(index)", keyPosition: .builtin, value: .init(floatLiteral: own / quantum)
            )
        }
        let members: [ConfigurationValue.Member] = [
            .init(key: "quantum", keyPosition: .builtin, value: .init(integerLiteral: Int64(quantum))),
            .init(key: "weights", keyPosition: .builtin, value: ConfigurationValue(.object(weights))),
        ]
        var state = try state(ConfigurationValue(.object(members)))
        for flow in costs.indices { state.add(flow: flow, id: "f\(flow)") }
        let all = costs.enumerated().map { waiting($0.offset, tokens: $0.element) }
        let expected = byTheBook(costs.map(Double.init), quanta: quanta, times: 300)
        #expect(serve(&state, all.reversed(), times: 300) == expected)
    }

    @Test func askingChangesNothing() throws {
        var state = try state(["quantum": 100])
        for flow in 0..<3 { state.add(flow: flow, id: "f\(flow)") }
        let all = [waiting(0, tokens: 250), waiting(1, tokens: 150), waiting(2, tokens: 500)]
        for _ in 0..<5 { #expect(state.next(among: all, now: at(0)) == 1) }
        #expect((0..<3).map { state.deficit(of: $0) } == [0, 0, 0])
        // Nobody to send it to: the next is asked for without it, and only that one's rounds count.
        #expect(state.next(among: [all[0], all[2]], now: at(0)) == 0)
        _ = state.dispatched(flow: 0, uncachedTokens: 250, now: at(0))
        #expect((0..<3).map { state.deficit(of: $0) } == [50, 0, 200])
    }

    @Test func whatIsLeftIsLostAndWhatIsOwedIsKept() throws {
        var state = try state(["quantum": 100])
        state.add(flow: 0, id: "a")
        state.add(flow: 1, id: "b")
        #expect(serve(&state, [waiting(0, tokens: 30)], times: 1) == [0])
        #expect(state.deficit(of: 0) == 70)
        state.becameBacklogged(flow: 0, among: [waiting(0)], now: at(1))
        #expect(state.deficit(of: 0) == 0)
        state.ended(flow: 0, charged: 30, usage: usage(1_030, 0), now: at(1))
        state.becameBacklogged(flow: 0, among: [waiting(0)], now: at(2))
        #expect(state.deficit(of: 0) == -1_000)
        // Ten rounds pay what it owes, and the one after them its request.
        let served = serve(&state, [waiting(0, tokens: 100), waiting(1, tokens: 100)], times: 14)
        #expect(served == Array(repeating: 1, count: 11) + [0, 1, 0])
    }

    @Test func theEndCorrectsTheDeficit() throws {
        var state = try state(["quantum": 1_000])
        state.add(flow: 0, id: "a")
        #expect(serve(&state, [waiting(0, tokens: 800)], times: 1) == [0])
        state.ended(flow: 0, charged: 800, usage: usage(800, 0, cached: 700), now: at(1))
        #expect(state.deficit(of: 0) == 900)
        state.ended(flow: 0, charged: 800, usage: nil, now: at(1))
        state.ended(flow: 9, charged: 800, usage: TokenUsage.none, now: at(1))
        #expect(state.deficit(of: 0) == 900)
    }

    @Test func tokensAreSharedByWeight() throws {
        var state = try state(["weights": ["a": 3]])
        _ = state.begin(["a", "b"])
        let all = [waiting(0, tokens: 2_000), waiting(1, tokens: 1_000)]
        let counts = state.serve(all, times: 5_000, output: 0)
        // Three times the tokens in requests of twice the length.
        #expect(abs(counts[0] - 3_000) <= 15, "\(counts)")
    }

    @Test func aThousandFlowsAndAbsurdCosts() throws {
        var state = try state(["quantum": 1, "weights": ["f0": 0.001, "f1": 1_000_000]])
        let all = state.begin((0..<1_000).map { "f\($0)" }).map { waiting($0.flow, tokens: .max) }
        let served = serve(&state, all, times: 2_000)
        // A million times the share of each of the others.
        #expect(served.allSatisfy { $0 == 1 })
        #expect(state.deficit(of: 0)?.isFinite == true)
    }
}
