import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

private func at(_ seconds: Double) -> MonotonicInstant {
    MonotonicInstant(nanoseconds: Int64(seconds * 1e9))
}

private func served(
    _ endpoint: EndpointSnapshot = .sample("e"),
    open: Int,
    tokens: Int = 100,
    sent: Double,
    took: Double
) -> ServedRequest {
    ServedRequest(
        endpoint: endpoint,
        openRequests: open,
        uncachedTokens: tokens,
        sentAt: at(sent),
        firstByteAt: at(sent + took),
        endedAt: at(sent + took + 1)
    )
}

@Suite struct LearnedCapacityTests {
    /// A capacity that knows 100 ms for 100 tokens, from the first 10 seconds.
    private func capacity() -> LearnedCapacity {
        var capacity = LearnedCapacity()
        for second in 0..<8 { capacity.observe(served(open: 1, sent: Double(second), took: 0.1)) }
        return capacity
    }

    /// Feeds a round of requests that are sent at `sent`.
    private func round(_ capacity: inout LearnedCapacity, sent: Double, took: Double, open: Int? = nil) {
        let before = capacity.limit
        for _ in 0..<32 where capacity.limit == before {
            capacity.observe(served(open: open ?? Int(before.rounded(.up)), sent: sent, took: took))
        }
    }

    @Test func theLimitGrowsByAHalfUntilItFallsTheFirstTime() {
        var capacity = capacity()
        #expect(capacity.limit == 8)
        round(&capacity, sent: 20, took: 0.2)
        #expect(capacity.limit == 12)
        round(&capacity, sent: 30, took: 0.1)
        #expect(capacity.limit == 18)
        // 2 * 100 ms + 20 ms is not yet slow.
        round(&capacity, sent: 40, took: 0.219)
        #expect(capacity.limit == 27)
        round(&capacity, sent: 50, took: 0.221)
        #expect(abs(capacity.limit - 18) < 1e-9)
        round(&capacity, sent: 60, took: 0.1)
        #expect(abs(capacity.limit - (18 + 18.0.squareRoot() / 2)) < 1e-9)
        let high = capacity.limit
        round(&capacity, sent: 70, took: 9)
        #expect(abs(capacity.limit - 0.9 * high) < 1e-9)
    }

    @Test func aRoundNeedsMostToBeSlow() {
        var capacity = capacity()
        // A long prompt of others in the way of some.
        for took in [5, 5, 5, 0.1] { capacity.observe(served(open: 8, sent: 20, took: took)) }
        #expect(capacity.limit == 12)
    }

    @Test func aRequestThatWasSentBeforeTheChangeDoesNotCount() {
        var capacity = capacity()
        round(&capacity, sent: 20, took: 3)
        let fallen = capacity.limit
        #expect(fallen < 8)
        // The change was at 24.
        for _ in 0..<100 { capacity.observe(served(open: 8, sent: 23.9, took: 3)) }
        #expect(capacity.limit == fallen)
        round(&capacity, sent: 24, took: 3, open: 6)
        #expect(abs(capacity.limit - 0.9 * fallen) < 1e-9)
    }

    @Test func onlyRequestsNearTheLimitTellAboutIt() {
        var capacity = capacity()
        for second in 0..<100 { capacity.observe(served(open: 6, sent: 20 + Double(second), took: 9)) }
        #expect(capacity.limit == 8)
        // Far beyond it what is slow tells nothing, and what is fast does.
        for second in 0..<100 { capacity.observe(served(open: 500, sent: 200 + Double(second), took: 9)) }
        #expect(capacity.limit == 8)
        round(&capacity, sent: 400, took: 0.1, open: 500)
        #expect(capacity.limit == 12)
    }

    @Test func theLimitStaysInItsBounds() {
        var (low, high) = (capacity(), capacity())
        var lowest = low.limit
        for step in 1...200 {
            round(&low, sent: Double(step) * 100, took: 50)
            round(&high, sent: Double(step) * 100, took: 0.1)
            lowest = min(lowest, low.limit)
        }
        #expect(lowest == 1)
        #expect(high.limit == 10_000)
        // What takes as long alone as with others does not wait: so it is learned anew.
        #expect(low.limit > 8)
    }

    @Test func absurdTimesAreLeftOut() {
        var capacity = capacity()
        for open in [0, -1, .min] { capacity.observe(served(open: open, sent: 20, took: 9)) }
        for _ in 0..<100 { capacity.observe(served(open: 8, sent: 20, took: -1)) }
        #expect(capacity.limit == 8)
    }

    @Test func aBusyEndpointIsHalvedForAMomentEveryMinute() {
        var capacity = capacity()
        var now = 20.0
        func step() {
            capacity.observe(served(open: Int(capacity.limit.rounded(.up)), sent: now, took: 0.1))
            now += 2
        }
        while now < 66 {
            step()
            #expect(capacity.limit(open: 1_000, at: at(now)) == capacity.limit)
        }
        while now < 72 { step() }
        let limit = capacity.limit
        #expect(capacity.limit(open: Int(limit), at: at(now)) == limit / 2)
        // It lasts until the endpoint is half empty and four times the unloaded time is over.
        #expect(capacity.limit(open: Int(limit / 2) + 1, at: at(now + 9)) == limit / 2)
        #expect(capacity.limit(open: Int(limit / 2) - 1, at: at(now + 10)) == limit / 2)
        #expect(capacity.limit(open: Int(limit / 2), at: at(now + 10.3)) == limit / 2)
        #expect(capacity.limit(open: Int(limit / 2), at: at(now + 10.5)) == limit)
        // It took a dozen seconds, so the next one comes in twenty times that.
        now += 12
        let pause = now + 195
        while now < pause {
            step()
            #expect(capacity.limit(open: 10, at: at(now)) == capacity.limit)
        }
    }
}

extension LearnedCapacityTests {
    @Test func anEndpointThatOthersKeepBusyIsNotHalvedForEver() {
        var capacity = capacity()
        for second in stride(from: 20.0, to: 80, by: 2) {
            capacity.observe(served(open: Int(capacity.limit.rounded(.up)), sent: second, took: 0.1))
        }
        let limit = capacity.limit
        // The probe began with the first end after 67.1 s.
        #expect(capacity.limit(open: 10_000, at: at(80)) == limit / 2)
        #expect(capacity.limit(open: 10_000, at: at(127)) == limit / 2)
        #expect(capacity.limit(open: 10_000, at: at(130)) == limit)
        #expect(capacity.limit(open: 10_000, at: at(131)) == limit)
    }
}

@Suite struct UnloadedTimesTests {
    @Test func theLowerQuartileOfTheWindowCounts() {
        var times = UnloadedTimes()
        #expect(times.seconds(forTokens: 100) == nil)
        // A fifth of the prompts is in the engine's cache, and the gateway does not know.
        for index in 0..<20 {
            times.add(index % 5 == 0 ? 0.01 : 0.2, tokens: 100, isUnloaded: true, at: at(Double(index)))
        }
        #expect(times.seconds(forTokens: 100) == 0.2)
    }

    @Test func timesGrowOld() {
        var times = UnloadedTimes()
        for _ in 0..<16 { times.add(0.1, tokens: 100, isUnloaded: true, at: at(0)) }
        #expect(times.seconds(forTokens: 100) == 0.1)
        times.add(0.3, tokens: 100, isUnloaded: true, at: at(180))
        #expect(times.seconds(forTokens: 100) == 0.1)
        times.add(0.3, tokens: 100, isUnloaded: true, at: at(180.1))
        #expect(times.seconds(forTokens: 100) == 0.3)
    }

    @Test func aGuessGivesWay() {
        var times = UnloadedTimes()
        times.add(0.1, tokens: 100, isUnloaded: false, at: at(0))
        #expect(times.seconds(forTokens: 100) == 0.1)
        times.add(0.5, tokens: 100, isUnloaded: true, at: at(1))
        #expect(times.seconds(forTokens: 100) == 0.5)
    }

    @Test(
        arguments: [
            // Of its own power of two; else at most that of more tokens, and that of fewer times as much.
            (64, 0.1), (127, 0.1), (128, 0.2), (255, 0.2), (256, 0.4), (1_024, 0.5), (4_095, 0.5), (4_096, 1),
            (1 << 20, 256), (63, 0.1), (0, 0.1), (-1, 0.1),
        ])
    func lengthsWithoutTimesBorrow(tokens: Int, expected: Double) throws {
        var times = UnloadedTimes()
        times.add(0.1, tokens: 100, isUnloaded: true, at: at(0))
        times.add(0.5, tokens: 2_048, isUnloaded: true, at: at(0))
        #expect(abs(try #require(times.seconds(forTokens: tokens)) - expected) < 1e-9)
        times.add(9, tokens: .max, isUnloaded: true, at: at(0))
        times.add(0.05, tokens: .min, isUnloaded: true, at: at(0))
        #expect(times.seconds(forTokens: 0) == 0.05)
        #expect(times.seconds(forTokens: .max) == 9)
    }
}

@Suite struct LearnedCapacityDetectorTests {
    private let now = at(1)

    private func endpoint(_ slot: Int, incarnation: Int = 0, open: Int = 0) -> EndpointSnapshot {
        .sample("e\(slot)", slot: slot, incarnation: incarnation, metricsUpdatedAt: nil, requestsInFlight: open)
    }

    /// Teaches a limit of 12 for one life of the endpoint in `slot`.
    private func teach(_ detector: LearnedCapacityDetector, _ slot: Int, incarnation: Int = 0) {
        let endpoint = endpoint(slot, incarnation: incarnation)
        for second in 0..<4 { detector.served(served(endpoint, open: 1, sent: Double(second), took: 0.1)) }
        for _ in 0..<4 { detector.served(served(endpoint, open: 8, sent: 10, took: 0.1)) }
    }

    @Test func anEndpointOfWhichNothingIsKnownTakesEight() throws {
        let detector = try make(LearnedCapacityDetector.self)
        #expect(detector.fullness(of: endpoint(3, open: 4), adding: .none, now: now) == 0.5)
        let pending = PendingLoad(requests: 2, tokens: 0)
        #expect(detector.fullness(of: endpoint(3, open: 4), adding: pending, now: now) == 0.75)
        #expect(detector.metricsLifetime == nil)
    }

    @Test func everyLifeHasItsOwnLimit() throws {
        let detector = try make(LearnedCapacityDetector.self)
        teach(detector, 2)
        #expect(detector.fullness(of: endpoint(2, open: 6), adding: .none, now: now) == 0.5)
        #expect(detector.fullness(of: endpoint(2, incarnation: 1, open: 4), adding: .none, now: now) == 0.5)
        #expect(detector.fullness(of: endpoint(0, open: 4), adding: .none, now: now) == 0.5)
        teach(detector, 2, incarnation: 1)
        #expect(detector.fullness(of: endpoint(2, incarnation: 1, open: 6), adding: .none, now: now) == 0.5)
        // One that ends late changes nothing, and neither does its end.
        detector.served(served(endpoint(2), open: 1, sent: 1, took: 0.1))
        detector.endpointDidLeave(endpoint(2))
        #expect(detector.fullness(of: endpoint(2, incarnation: 1, open: 6), adding: .none, now: now) == 0.5)
        detector.endpointDidLeave(endpoint(2, incarnation: 1))
        #expect(detector.fullness(of: endpoint(2, incarnation: 1, open: 4), adding: .none, now: now) == 0.5)
    }

    @Test func theSaturationIsTheMean() throws {
        let detector = try make(LearnedCapacityDetector.self)
        teach(detector, 0)
        #expect(detector.saturation(of: Candidates([]), now: now) == 1)
        #expect(detector.saturation(of: Candidates([endpoint(0, open: 6), endpoint(1, open: 12)]), now: now) == 1)
    }

    @Test(arguments: [(0.0, [0]), (0.5, [0, 1]), (2, [0, 1, 2])] as [(Double, [Int])])
    func filtering(headroom: Double, expected: [Int]) throws {
        let detector = try make(LearnedCapacityDetector.self, ["headroom": .init(floatLiteral: headroom)])
        var candidates = Candidates([endpoint(0, open: 7), endpoint(1, open: 8), endpoint(2, open: 12)])
        var context = SchedulingContext.sample()
        detector.filter(&candidates, context: &context)
        #expect(candidates.positions == expected)
        // All are full: all stay.
        candidates = Candidates([endpoint(0, open: 70), endpoint(1, open: 80)])
        detector.filter(&candidates, context: &context)
        #expect(candidates.positions == [0, 1])
    }

    @Test func slotsOfNobodyAreNoTrap() throws {
        let detector = try make(LearnedCapacityDetector.self)
        for slot in [-1, .max, .min] {
            let endpoint = EndpointSnapshot(
                id: EndpointID(name: "e"),
                slot: slot,
                address: EndpointAddress(host: "10.0.0.1", port: 8000)
            )
            detector.served(served(endpoint, open: 1, sent: 1, took: 1))
            #expect(detector.fullness(of: endpoint, adding: .none, now: now) == 0)
            detector.endpointDidLeave(endpoint)
        }
    }
}
