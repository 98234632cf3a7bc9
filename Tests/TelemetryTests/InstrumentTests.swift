import Testing

@testable import Telemetry

@Suite struct InstrumentTests {
    private static let bounds: [Double] = [0.5, 1, 2, 5]

    private func histogram(_ bounds: [Double] = bounds) throws -> Histogram {
        try MetricRegistry().histogram(
            MetricDefinition(name: "h", type: .histogram, buckets: bounds, help: "H.")
        )
    }

    @Test func concurrentChangesAreAllCounted() async throws {
        let registry = MetricRegistry()
        let counter = try registry.counter(MetricDefinition(name: "c_total", type: .counter, help: "C."))
        let gauge = try registry.gauge(MetricDefinition(name: "g", type: .gauge, help: "G."))
        let histogram = try registry.histogram(
            MetricDefinition(name: "h", type: .histogram, buckets: Self.bounds, help: "H.")
        )
        let tasks = 8
        let rounds = 5_000
        await withTaskGroup { group in
            for task in 0..<tasks {
                group.addTask {
                    for round in 0..<rounds {
                        counter.increment(by: 2)
                        gauge.add(task.isMultiple(of: 2) ? 3 : -1)
                        histogram.observe(Double(round % 8))
                    }
                }
            }
        }
        let all = tasks * rounds
        #expect(counter.value == UInt64(2 * all))
        #expect(gauge.value == Double(all))
        #expect(histogram.count == UInt64(all))
        #expect(histogram.sum == Double(all / 8 * (0..<8).reduce(0, +)))
        // Of 0…7 one is at most 0.5, one at most 1, one at most 2, three at most 5, two above.
        let eighth = UInt64(all / 8)
        #expect((0...4).map(histogram.bucketCount) == [eighth, eighth, eighth, 3 * eighth, 2 * eighth])
    }

    @Test func upperBoundsBelongToTheirBucket() throws {
        let histogram = try histogram()
        for value in [-1, 0.5, 0.500001, 1, 2, 5, 5.1, .greatestFiniteMagnitude, -7] { histogram.observe(value) }
        #expect((0...4).map(histogram.bucketCount) == [3, 2, 1, 1, 2])
    }

    @Test func whatWouldSpoilTheSumIsNotCounted() throws {
        let histogram = try histogram()
        for value in [.nan, .infinity, -.infinity] as [Double] { histogram.observe(value) }
        histogram.observe(1)
        #expect(histogram.count == 1)
        #expect(histogram.sum == 1)
    }

    /// The search against the definition of a bucket, for every length of bounds.
    @Test func everyNumberOfBoundsIsSearchedRight() throws {
        var generator = SplitMix(seed: 7)
        for length in 1...Histogram.boundsMax {
            let bounds = (0..<length).map { Double($0 * 3 + 1) }
            let histogram = try histogram(bounds)
            var expected = [UInt64](repeating: 0, count: length + 1)
            for _ in 0..<200 {
                let value = Double(Int.random(in: -2...(length * 3 + 3), using: &generator))
                histogram.observe(value)
                expected[bounds.firstIndex { value <= $0 } ?? length] += 1
            }
            #expect((0...length).map(histogram.bucketCount) == expected)
        }
    }

    @Test func durationsAreObservedInSeconds() throws {
        let histogram = try histogram()
        histogram.observe(.milliseconds(1500))
        histogram.observe(.nanoseconds(-1))
        #expect(abs(histogram.sum - 1.499999999) < 1e-12)
        #expect(histogram.bucketCount(2) == 1)
    }

    @Test func gaugeIsSetAndMoved() throws {
        let gauge = try MetricRegistry().gauge(MetricDefinition(name: "g", type: .gauge, help: "G."))
        gauge.set(2.5)
        gauge.increment()
        gauge.decrement()
        gauge.add(-4)
        #expect(gauge.value == -1.5)
    }
}

/// A small seeded generator, so that a failing round can be run again.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
