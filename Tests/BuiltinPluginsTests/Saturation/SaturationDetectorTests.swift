import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

private let now = MonotonicInstant(nanoseconds: 10_000_000_000)

/// Endpoints whose metrics are fresh at ``now``.
private func pool(_ metrics: [EndpointMetrics], age: Duration? = .zero) -> Candidates {
    Candidates(
        metrics.enumerated().map { slot, metrics in
            let updatedAt = age.map { now.advanced(by: .zero - $0) }
            return .sample("e\(slot)", slot: slot, metrics: metrics, metricsUpdatedAt: updatedAt)
        }
    )
}

private func report(_ queue: Int, _ cache: Double = 0) -> EndpointMetrics {
    EndpointMetrics(waitingQueueSize: queue, kvCacheUsage: cache)
}

@Suite struct UtilizationDetectorTests {
    @Test(
        arguments: [
            // Nobody.
            ([], 1.0),
            ([(0, 0.0)], 0),
            // The fuller of both counts, and at the threshold it is 1.
            ([(5, 0)], 1), ([(0, 0.8)], 1), ([(4, 0.4)], 0.8), ([(1, 0.6)], 0.75),
            // Not clamped.
            ([(20, 0)], 4),
            // The mean: one hot endpoint of four fills nothing.
            ([(10, 0), (0, 0), (0, 0), (0, 0)], 0.5), ([(5, 0), (5, 0), (0, 0.8)], 1),
            // What engines must not say.
            ([(.min, -1), (5, 0)], 0.5), ([(5, .nan)], 1), ([(0, .nan)], 0), ([(5, .infinity)], 1),
            ([(5, -.infinity)], 1),
        ] as [([(Int, Double)], Double)])
    func saturation(reports: [(Int, Double)], expected: Double) throws {
        let detector = try make(UtilizationDetector.self)
        let saturation = detector.saturation(of: pool(reports.map { report($0.0, $0.1) }), now: now)
        #expect(abs(saturation - expected) < 1e-12)
    }

    @Test func parametersMoveTheThresholds() throws {
        let detector = try make(
            UtilizationDetector.self,
            ["queueDepthThreshold": 10, "kvCacheUtilThreshold": 0.5, "metricsStalenessThreshold": "200ms"]
        )
        #expect(detector.saturation(of: pool([report(5)]), now: now) == 0.5)
        #expect(detector.saturation(of: pool([report(0, 0.75)]), now: now) == 1.5)
        #expect(detector.metricsLifetime == .milliseconds(200))
        #expect(try make(UtilizationDetector.self).metricsLifetime == .seconds(2))
    }

    @Test(arguments: [
        (Duration.zero, 2.0), (.seconds(2), 2), (.milliseconds(2001), 0), (nil, 0), (.seconds(-1), 2),
    ])
    func onlyFreshMetricsCount(age: Duration?, expected: Double) throws {
        let detector = try make(UtilizationDetector.self)
        #expect(detector.saturation(of: pool([report(10), report(10)], age: age), now: now) == expected)
    }

    @Test func theUnheardAreLeftOutOfTheMean() throws {
        let mixed = Candidates([
            .sample("fresh", slot: 0, metrics: report(5), metricsUpdatedAt: now),
            .sample("stale", slot: 1, metrics: report(50), metricsUpdatedAt: now.advanced(by: .seconds(-9))),
            .sample("new", slot: 2, metrics: report(0), metricsUpdatedAt: nil),
        ])
        #expect(try make(UtilizationDetector.self).saturation(of: mixed, now: now) == 1)
    }

    @Test func onlyTheCandidatesLeftCount() throws {
        var candidates = pool([report(50), report(0)])
        candidates.keep { $0.slot == 1 }
        #expect(try make(UtilizationDetector.self).saturation(of: candidates, now: now) == 0)
    }

    @Test(
        arguments: [
            // Below both thresholds.
            (0.0, [(4, 0.79), (5, 0), (0, 0.8)], [0]),
            // With headroom, up to a fifth more.
            (0.2, [(5, 0.9), (6, 0), (0, 0.97)], [0]),
            // Nobody has room: all stay.
            (0, [(5, 0), (9, 1)], [0, 1]),
            (0, [], []),
        ] as [(Double, [(Int, Double)], [Int])])
    func filtering(headroom: Double, reports: [(Int, Double)], expected: [Int]) throws {
        let filter = try make(UtilizationDetector.self, ["headroom": .init(floatLiteral: headroom)])
        var candidates = pool(reports.map { report($0.0, $0.1) })
        var context = context()
        filter.filter(&candidates, context: &context)
        #expect(candidates.positions == expected)
    }

    @Test func theFilterPrefersThoseThatAreHeardOf() throws {
        let filter = try make(UtilizationDetector.self)
        var candidates = Candidates([
            .sample("new", slot: 0, metricsUpdatedAt: nil),
            .sample("stale", slot: 1, metricsUpdatedAt: now.advanced(by: .seconds(-3))),
            .sample("fresh", slot: 2, metricsUpdatedAt: now),
        ])
        var context = context()
        filter.filter(&candidates, context: &context)
        #expect(candidates.positions == [2])
        candidates.keep { $0.slot != 2 }
        candidates = pool([report(9), report(0)], age: .seconds(3))
        filter.filter(&candidates, context: &context)
        #expect(candidates.positions == [0, 1])
    }

    @Test(
        arguments: [
            (["queueDepthThreshold": 0], "0 is not at least 1"),
            (["kvCacheUtilThreshold": 0], "0.0 is not above 0 and at most 1.0"),
            (["kvCacheUtilThreshold": 1.5], "1.5 is not above 0 and at most 1.0"),
            (["metricsStalenessThreshold": 0], "0 is not in 1ms to 1h0m0s"),
            (["headroom": -0.1], "-0.1 is not in 0.0 to 1000.0"),
        ] as [(ConfigurationValue, String)])
    func badParameters(parameters: ConfigurationValue, message: String) {
        #expect(failure(UtilizationDetector.self, parameters)?.contains(message) == true)
    }

    @Test func aPercentageInPlaceOfAShareIsPointedOut() throws {
        let decoder = ParameterDecoder(value: ["headroom": 20])
        var context = PluginContext(clock: SystemMonotonicClock())
        _ = try BuiltinCatalogue.registry()
            .make(type: "concurrency-detector", name: "d", parameters: decoder, context: &context)
        #expect(decoder.warnings.map(\.message) == ["20.0 means 2000.0 %: it is a share, not a percentage"])
    }

    private func context() -> SchedulingContext {
        SchedulingContext(
            request: .sample(),
            now: now,
            scratch: RequestScratch(slotCount: 0),
            random: RandomSource(seed: 1)
        )
    }
}

@Suite struct ConcurrencyDetectorTests {
    /// Endpoints with so many requests of so many tokens each in flight.
    private func pool(_ loads: [(requests: Int, tokens: Int)]) -> Candidates {
        let candidates = Candidates.sample(count: loads.count)
        for (endpoint, load) in zip(candidates.all, loads) {
            for _ in 0..<load.requests { endpoint.load.add(tokens: load.tokens) }
        }
        return candidates
    }

    private let small: [(String, ConfigurationValue)] = [("maxConcurrency", 10), ("maxTokenConcurrency", 100)]

    private func detector(_ mode: String, _ more: (String, ConfigurationValue)...) throws -> ConcurrencyDetector {
        let members = small + [("concurrencyMode", .init(stringLiteral: mode))] + more
        let value = ConfigurationValue(.object(members.map { .init(key: $0.0, keyPosition: .builtin, value: $0.1) }))
        return try make(ConcurrencyDetector.self, value)
    }

    @Test(
        arguments: [
            ("requests", [], 1.0), ("tokens", [], 1), ("hybrid", [], 1),
            ("requests", [(0, 0)], 0),
            ("requests", [(10, 0)], 1), ("requests", [(20, 0), (0, 0)], 1), ("requests", [(25, 0)], 2.5),
            ("tokens", [(1, 100)], 1), ("tokens", [(3, 50), (0, 0)], 0.75), ("tokens", [(100, 0)], 0),
            // Each endpoint by the greater of its shares: 1 and 0.5.
            ("hybrid", [(10, 0), (1, 50)], 0.75),
            // By sums this pool were half full in both.
            ("hybrid", [(10, 0), (1, 100)], 1),
        ] as [(String, [(Int, Int)], Double)])
    func saturation(mode: String, loads: [(Int, Int)], expected: Double) throws {
        let loads = loads.map { (requests: $0.0, tokens: $0.1) }
        let saturation = try detector(mode).saturation(of: pool(loads), now: now)
        #expect(abs(saturation - expected) < 1e-12)
    }

    @Test func theDefaultsAreAHundredRequests() throws {
        let detector = try make(ConcurrencyDetector.self)
        #expect(detector.saturation(of: pool([(50, 1_000_000)]), now: now) == 0.5)
        #expect(detector.metricsLifetime == nil)
    }

    @Test func theCountIsLive() throws {
        let (detector, candidates) = (try detector("requests"), pool([(10, 0)]))
        candidates[0].load.remove(tokens: 0)
        #expect(detector.saturation(of: candidates, now: now) == 0.9)
    }

    @Test(
        arguments: [
            ("requests", 0.0, [(9, 0), (10, 0)], [0]),
            // 10 * 1.25 is rounded down to 12.
            ("requests", 0.25, [(11, 0), (12, 0)], [0]),
            ("tokens", 0, [(1, 99), (1, 100), (50, 0)], [0, 2]),
            ("hybrid", 0, [(9, 11), (10, 1), (1, 100)], [0]),
            // It may leave nobody.
            ("requests", 0, [(10, 0)], []),
            ("hybrid", 0, [], []),
        ] as [(String, Double, [(Int, Int)], [Int])])
    func filtering(mode: String, headroom: Double, loads: [(Int, Int)], expected: [Int]) throws {
        var candidates = pool(loads.map { (requests: $0.0, tokens: $0.1) })
        var context = SchedulingContext.sample()
        let filter = try detector(mode, ("headroom", .init(floatLiteral: headroom)))
        filter.filter(&candidates, context: &context)
        #expect(candidates.positions == expected)
    }

    @Test(
        arguments: [
            (["maxConcurrency": 0], "0 is not at least 1"),
            (["maxTokenConcurrency": -1], "-1 is not at least 1"),
            (["concurrencyMode": "both"], "\"both\" is not one of requests, tokens, hybrid"),
            (["headroom": -1], "-1 is not in 0.0 to 1000.0"),
        ] as [(ConfigurationValue, String)])
    func badParameters(parameters: ConfigurationValue, message: String) {
        #expect(failure(ConcurrencyDetector.self, parameters)?.contains(message) == true)
    }
}
