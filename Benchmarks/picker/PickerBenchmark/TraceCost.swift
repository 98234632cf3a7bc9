import AllocationCount
import Telemetry

/// What traces add to a decision: the CPU time and the allocations on the request's own thread, with the exporter's
/// part left out, which has a thread of its own. The last 100 decisions are kept, as `martlet serve` keeps them.
enum TraceCost {
    /// A way of tracing.
    private struct Way {
        let name: String
        let sampler: Sampler?
    }

    private static let ways = [
        Way(name: "off", sampler: nil),
        Way(name: "on, nothing recorded", sampler: Sampler(root: .never, followsParent: true)),
        Way(name: "on, one in ten recorded", sampler: Sampler(root: .ratio(0.1), followsParent: true)),
        Way(name: "on, everything recorded", sampler: Sampler(root: .always, followsParent: true)),
    ]

    /// Measures in turns and prints a table.
    static func print() throws {
        let rounds = 15
        let (endpoints, kilobytes, count) = (100, 1, 2_000)
        let buffer = SpanBuffer(metrics: try TraceMetrics(registry: MetricRegistry()))
        let pickers = try ways.map { way in
            try Picker(
                endpoints: endpoints,
                kilobytes: kilobytes,
                keptDecisions: 100,
                tracer: way.sampler.map { Tracer(sampler: $0, buffer: buffer, wallClock: { 0 }) }
            )
        }
        for picker in pickers { picker.decide(1_100) }
        var times = [[Double]](repeating: [], count: ways.count)
        var allocations = [Int](repeating: 0, count: ways.count)
        for round in 0..<rounds {
            for step in ways.indices {
                let index = (step + round) % ways.count
                pickers[index].prepare(count)
                var spent: UInt64 = 0
                var asked: UInt64 = 0
                // As often as an exporter would, the spans go, outside of what is measured.
                for _ in 0..<count / 100 {
                    let (start, before) = (martlet_thread_nanoseconds(), martlet_allocations())
                    pickers[index].decide(100)
                    spent += martlet_thread_nanoseconds() - start
                    asked += martlet_allocations() - before
                    buffer.dropAll()
                }
                times[index].append(Double(spent) / 1_000 / Double(count))
                allocations[index] = Int(asked) / count
            }
        }
        Swift.print("\(endpoints) endpoints, \(kilobytes) kB: CPU µs a decision, and allocations")
        for (index, way) in ways.enumerated() {
            let text = PickerBenchmark.pad(PickerBenchmark.spread(times[index]), 22)
            Swift.print(PickerBenchmark.pad(way.name, 24), text, PickerBenchmark.pad("\(allocations[index])", 5))
        }
    }
}
