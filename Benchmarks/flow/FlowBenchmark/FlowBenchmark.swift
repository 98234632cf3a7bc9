import AllocationCount

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// `make bench-flow`: the CPU time and the allocations of flow control, without sockets.
///
/// A request comes to 10,000 that wait in 100 flows, another one is let go, begins and ends: with the bare engine, and
/// with the lock, the tickets and the metrics around it. Then the same for requests that find room at once among
/// hundreds of endpoints, where looking at the endpoints is what costs. Prints a table; exits with 1 when a budget is
/// missed. With text behind it, it runs the cases alone whose names contain the text.
@main
struct FlowBenchmark {
    /// A case of the table.
    struct Case: Sendable {
        let name: String
        /// The most microseconds.
        let budget: Double
        let make: @Sendable () throws -> any QueueLoad
    }

    static let policies = [
        "global-strict-fairness-policy", "round-robin-fairness-policy", "virtual-token-counter-fairness-policy",
        "deficit-round-robin-fairness-policy",
    ]

    static let cases =
        policies.map { policy in
            Case(name: "engine, \(policy)", budget: 3) {
                try EngineLoad(policy: policy, queued: 10_000, flows: 100)
            }
        }
        + policies.map { policy in
            Case(name: "controller, \(policy)", budget: 3) {
                try ControllerLoad(policy: policy, queued: 10_000, flows: 100)
            }
        }
        + ["utilization-detector", "concurrency-detector", "learned-capacity-detector"].flatMap { detector in
            [(100, 5.0), (1_000, 35.0)].map { endpoints, budget in
                Case(name: "at once, \(endpoints) endpoints, \(detector)", budget: budget) {
                    try PassingLoad(endpoints: endpoints, detector: detector)
                }
            }
        }

    static func main() throws {
        var isWithinBudgets = true
        let wanted = CommandLine.arguments.dropFirst().first ?? ""
        print("case                                                   CPU µs  least – most  budget  allocations")
        for test in cases where wanted.isEmpty || test.name.contains(wanted) {
            let (times, allocations) = try measure(test)
            let median = times[times.count / 2]
            if median > test.budget { isWithinBudgets = false }
            print(
                test.name + String(repeating: " ", count: max(1, 54 - test.name.count)),
                fixed(median), "[\(fixed(times[0]))–\(fixed(times[times.count - 1]))]", Int(test.budget),
                fixed(allocations),
                separator: "  "
            )
        }
        if !isWithinBudgets {
            print("over budget")
            exit(1)
        }
    }

    /// Microseconds of CPU per request in each of seven rounds, from the least, and allocations per request.
    private static func measure(_ test: Case) throws -> (times: [Double], allocations: Double) {
        let load = try test.make()
        let count = 20_000
        load.serve(count)
        var times: [Double] = []
        var allocations = 0.0
        for _ in 0..<7 {
            let (start, asked) = (martlet_thread_nanoseconds(), martlet_allocations())
            load.serve(count)
            times.append(Double(martlet_thread_nanoseconds() - start) / 1_000 / Double(count))
            allocations = Double(martlet_allocations() - asked) / Double(count)
        }
        return (times.sorted(), allocations)
    }

    private static func fixed(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }
}
