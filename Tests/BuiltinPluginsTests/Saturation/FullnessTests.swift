import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

private let now = MonotonicInstant(nanoseconds: 10_000_000_000)

/// An endpoint with `open` requests, of which `known` were open when its metrics came.
private func endpoint(
    _ metrics: EndpointMetrics,
    open: Int = 0,
    known: Int = 0,
    proven: Int = 0,
    age: Duration? = .zero
) -> EndpointSnapshot {
    let load = EndpointLoad()
    for _ in 0..<open { load.add(tokens: 100) }
    return EndpointSnapshot(
        id: EndpointID(name: "e"),
        slot: 0,
        address: EndpointAddress(host: "10.0.0.1", port: 8000),
        metrics: metrics,
        metricsUpdatedAt: age.map { now.advanced(by: .zero - $0) },
        requestsAtMetrics: known,
        provenRequests: proven,
        load: load
    )
}

private func metrics(_ waiting: Int, running: Int = 0, cache: Double = 0) -> EndpointMetrics {
    EndpointMetrics(waitingQueueSize: waiting, runningRequests: running, kvCacheUsage: cache)
}

@Suite struct FullnessTests {
    @Test(
        arguments: [
            // What the engine told, as a share of five waiting requests or of 0.8 of the cache.
            (endpoint(metrics(0)), 0.0, 0.0), (endpoint(metrics(4)), 0, 0.8),
            (endpoint(metrics(0, cache: 0.4)), 0, 0.5),
            // Whoever came since waits, and so does what is on its way.
            (endpoint(metrics(0), open: 3), 0, 0.6), (endpoint(metrics(1), open: 3), 2, 1.2),
            (endpoint(metrics(0), open: 3, known: 2), 0, 0.2),
            // Up to as many as it was seen running they do not.
            (endpoint(metrics(0, running: 6), open: 10, known: 6, proven: 10), 0, 0),
            (endpoint(metrics(0, running: 6), open: 10, known: 6, proven: 10), 2.5, 0.5),
            (endpoint(metrics(0, running: 10), open: 12, known: 10, proven: 10), 0, 0.4),
            // It runs more than ever: no room is made of that.
            (endpoint(metrics(0, running: 20), open: 1, proven: 10), 0, 0.2),
            // Those that ended since are not counted as room.
            (endpoint(metrics(3), open: 1, known: 9), 1, 0.8),
            // What engines must not say.
            (endpoint(metrics(.min), open: 5), 0, 1), (endpoint(metrics(0, running: .min), open: 5, proven: 2), 0, 0.6),
            (endpoint(metrics(0, running: .max), open: 5, proven: .max), 0, 1),
            (endpoint(metrics(5, cache: .nan)), 0, 1), (endpoint(metrics(0, cache: -.infinity)), 0, 0),
            (endpoint(metrics(0), known: .min), 0, Double(Int.max) / 5),
            // Nothing is known of it.
            (endpoint(metrics(9), age: nil), 1, nil), (endpoint(metrics(9), age: .milliseconds(2_001)), 1, nil),
            (endpoint(metrics(5), age: .milliseconds(2_000)), 0, 1),
        ] as [(EndpointSnapshot, Double, Double?)])
    func utilization(endpoint: EndpointSnapshot, pending: Double, expected: Double?) throws {
        let detector = try make(UtilizationDetector.self)
        let fullness = detector.fullness(
            of: endpoint, adding: PendingLoad(requests: pending, tokens: 1_000), now: now)
        guard let expected, let fullness else {
            #expect(fullness == expected)
            return
        }
        #expect(abs(fullness - expected) <= 1e-12 * max(1, expected))
    }

    @Test(
        arguments: [
            ("requests", 0, 0.0, 0.0), ("requests", 5, 0, 0.5), ("requests", 5, 2.5, 0.75), ("requests", 20, 0, 2),
            ("tokens", 5, 0, 0.5), ("tokens", 5, 0.5, 0.75), ("hybrid", 2, 0, 0.2), ("hybrid", 2, 1, 0.7),
        ] as [(String, Int, Double, Double)])
    func concurrency(mode: String, open: Int, pending: Double, expected: Double) throws {
        let detector = try make(
            ConcurrencyDetector.self,
            [
                "concurrencyMode": .init(stringLiteral: mode), "maxConcurrency": 10, "maxTokenConcurrency": 1_000,
            ]
        )
        // Each request on its way has 500 tokens, each open one 100; metrics do not matter.
        let load = PendingLoad(requests: pending, tokens: pending * 500)
        let fullness = detector.fullness(of: endpoint(metrics(.max), open: open, age: nil), adding: load, now: now)
        #expect(abs(try #require(fullness) - expected) < 1e-12)
    }

    @Test func aCountBelowNothingIsNothing() throws {
        let odd = endpoint(metrics(0))
        odd.load.remove(tokens: 50)
        for detector in [
            try make(ConcurrencyDetector.self) as any SaturationDetector, try make(UtilizationDetector.self),
            try make(LearnedCapacityDetector.self),
        ] {
            #expect(detector.fullness(of: odd, adding: .none, now: now) == 0)
        }
    }
}
