import AllocationCount
import Synchronization
import Telemetry

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// `make bench-metrics`: the CPU time and the allocations of one observation, by instrument and by the threads that
/// observe at once on the same instrument.
///
/// Values fall into all 35 buckets of a latency histogram in no predictable order. Prints a table; exits with 1 when a
/// budget is missed. With `allocations` behind it, it counts those alone.
@main
struct TelemetryBenchmark {
    /// A case of the table.
    struct Case: Sendable {
        let name: String
        /// The most nanoseconds of one thread alone, when it is a promise.
        let budget: Double?
        /// Does `count` of them.
        let observe: @Sendable (_ count: Int) -> Void
    }

    static func main() throws {
        let cases = try makeCases()
        if CommandLine.arguments.dropFirst() == ["allocations"] { return checkAllocations(cases) }
        print("observation                         threads  ns of CPU  least – most  budget  allocations")
        var isWithinBudgets = true
        for test in cases {
            for threads in [1, 2, 4] {
                let times = (0..<9).map { _ in nanoseconds(test, threads: threads) }.sorted()
                let median = times[times.count / 2]
                let budget = threads == 1 ? test.budget : nil
                if let budget, median > budget { isWithinBudgets = false }
                print(
                    test.name + String(repeating: " ", count: max(1, 38 - test.name.count)),
                    threads, fixed(median), "[\(fixed(times[0]))–\(fixed(times[times.count - 1]))]",
                    budget.map { "\(Int($0))" } ?? "–", fixed(allocations(test)),
                    separator: "  "
                )
            }
        }
        if !isWithinBudgets {
            print("over budget")
            exit(1)
        }
    }

    private static func makeCases() throws -> [Case] {
        let registry = MetricRegistry()
        func definition(_ name: String, _ type: MetricType, buckets: [Double] = []) -> MetricDefinition {
            MetricDefinition(name: name, type: type, buckets: buckets, help: "Measured.")
        }
        let counter = try registry.counter(definition("c_total", .counter))
        let gauge = try registry.gauge(definition("g", .gauge))
        let bounds = (0..<35).map { Double($0 + 1) }
        let histogram = try registry.histogram(definition("h", .histogram, buckets: bounds))
        let traced = try registry.histogram(definition("t", .histogram, buckets: bounds))
        let family = try registry.counters(
            MetricDefinition(name: "f_total", type: .counter, labels: ["a", "b"], help: "Measured.")
        )
        let trace = TraceContext("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        let values = Values()
        return [
            Case(name: "counter", budget: 30) { for _ in 0..<$0 { counter.increment() } },
            Case(name: "gauge", budget: 30) { for _ in 0..<$0 { gauge.increment() } },
            Case(name: "histogram of 35 buckets", budget: 30) { count in
                values.forEach(count) { histogram.observe($0) }
            },
            Case(name: "histogram, request without trace", budget: 30) { count in
                values.forEach(count) { histogram.observe($0, exemplar: nil) }
            },
            Case(name: "histogram, request with trace", budget: nil) { count in
                values.forEach(count) { traced.observe($0, exemplar: trace) }
            },
            Case(name: "counter looked up by two labels", budget: nil) { count in
                for _ in 0..<count { family.child("value", "another").increment() }
            },
        ]
    }

    // MARK: - Measuring

    /// Nanoseconds of CPU per observation of each thread.
    private static func nanoseconds(_ test: Case, threads: Int) -> Double {
        let count = 400_000
        let spent = Atomic<UInt64>(0)
        let isReady = Atomic<Int>(0)
        test.observe(10_000)
        Threads.run(threads) {
            isReady.wrappingAdd(1, ordering: .acquiringAndReleasing)
            while isReady.load(ordering: .acquiring) < threads {}
            let start = martlet_thread_nanoseconds()
            test.observe(count)
            spent.wrappingAdd(martlet_thread_nanoseconds() - start, ordering: .relaxed)
        }
        return Double(spent.load(ordering: .relaxed)) / Double(count * threads)
    }

    private static func allocations(_ test: Case) -> Double {
        let count = 10_000
        // Memory that the first ones ask for, such as the place of a bucket's trace, is not asked for again.
        test.observe(count)
        let before = martlet_allocations()
        test.observe(count)
        return Double(martlet_allocations() - before) / Double(count)
    }

    /// Checks the allocations alone, which no other load on the machine changes.
    private static func checkAllocations(_ cases: [Case]) {
        var isFree = true
        for test in cases where test.budget != nil || test.name.hasSuffix("with trace") {
            let allocations = allocations(test)
            print("\(test.name): \(allocations)")
            if allocations > 0 { isFree = false }
        }
        if !isFree {
            print("an observation allocates")
            exit(1)
        }
    }

    private static func fixed(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
}

/// Values in an order that no processor predicts.
private final class Values: Sendable {
    private static let count = 4_096
    private let values: [Double]

    init() {
        var state: UInt64 = 42
        values = (0..<Self.count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 33).truncatingRemainder(dividingBy: 36)
        }
    }

    @inline(__always)
    func forEach(_ count: Int, _ body: (Double) -> Void) {
        values.withUnsafeBufferPointer { values in
            for index in 0..<count { body(values[index & (Self.count - 1)]) }
        }
    }
}

/// Threads of the system: a task's executor would decide how many run.
private enum Threads {
    private final class Work: Sendable {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) {
            self.body = body
        }
    }

    /// Runs `body` on `count` threads at once, and waits for them.
    static func run(_ count: Int, _ body: @escaping @Sendable () -> Void) {
        var threads: [pthread_t] = []
        for _ in 0..<count {
            var thread = pthread_t()
            let work = Unmanaged.passRetained(Work(body))
            pthread_create(
                &thread, nil,
                { context in
                    if let context { Unmanaged<Work>.fromOpaque(context).takeRetainedValue().body() }
                    return nil
                }, work.toOpaque())
            threads.append(thread)
        }
        for thread in threads { pthread_join(thread, nil) }
    }
}
