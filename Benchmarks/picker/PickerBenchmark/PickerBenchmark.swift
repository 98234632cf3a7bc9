import AllocationCount
import GatewayCore
import RequestControl

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// `make bench-picker`: the CPU time and the allocations of single decisions, without sockets.
///
/// A decision is everything between a whole request body and the endpoint: reading the body, finding the route, the
/// candidates, hashing and matching the prompt, scores, the pick, the lease, and the metrics. Half of each prompt is
/// one of eight shared beginnings; the rest is new. Prints a table; exits with 1 when a budget is missed. With a number
/// of endpoints and of kilobytes behind it, it runs that case alone; with `allocations`, it counts those alone; with
/// `requests`, it measures what the log of the last requests costs each of them; with `traces`, what traces cost.
@main
struct PickerBenchmark {
    /// A case of the table.
    struct Case {
        let endpoints: Int
        let kilobytes: Int
        /// The most microseconds; `nil` for none.
        let budget: Double?
    }

    static let cases = [10, 100, 1_000].flatMap { endpoints in
        [1, 32, 400].map { kilobytes in
            Case(
                endpoints: endpoints,
                kilobytes: kilobytes,
                budget: endpoints == 100 && kilobytes == 400 ? 400 : endpoints == 1_000 && kilobytes == 1 ? 60 : nil
            )
        }
    }

    /// The most allocations of a decision, without and with a log of decisions, in a release build: what CI guards.
    private static let allocationsMax = (plain: 28, kept: 32)

    static func main() throws {
        do {
            try run()
        } catch is Failure {
            // What is printed says why.
            fflush(nil)
            exit(1)
        }
    }

    private static func run() throws {
        if CommandLine.arguments.dropFirst() == ["allocations"] { return try checkAllocations() }
        if CommandLine.arguments.dropFirst() == ["requests"] { return try checkRequestLog() }
        if CommandLine.arguments.dropFirst() == ["traces"] { return try TraceCost.print() }
        let rounds = 7
        var isWithinBudgets = true
        var medians: [[Double]] = []
        print("endpoints  prompt   CPU µs                    budget  allocations  with the last 1,000 decisions kept")
        let wanted = CommandLine.arguments.dropFirst().compactMap { Int($0) }
        for test in cases where wanted.isEmpty || wanted == [test.endpoints, test.kilobytes] {
            let result = try measure(test, rounds: rounds)
            let median = result.plain.sorted()[rounds / 2]
            medians.append([Double(test.endpoints), Double(test.kilobytes), median])
            let overhead = zip(result.kept, result.plain).map { ($0 / $1 - 1) * 100 }.sorted()[rounds / 2]
            if let budget = test.budget, median > budget { isWithinBudgets = false }
            print(
                pad("\(test.endpoints)", 9), pad("\(test.kilobytes) kB", 8), pad(spread(result.plain), 25),
                pad(test.budget.map { "\(Int($0))" } ?? "", 6), pad("\(result.allocations)", 11),
                "\(overhead < 0 ? "" : "+")\(fixed(overhead)) % (\(result.allocationsKept) allocations)",
                separator: "  "
            )
        }
        let isLinear = checkGrowth(medians)
        if !isWithinBudgets { print("over budget") }
        if !isWithinBudgets || !isLinear { throw Failure() }
    }

    /// Checks the allocations alone, which no other load on the machine changes.
    private static func checkAllocations() throws {
        for test in cases where test.kilobytes < 400 {
            let result = try measure(test, rounds: 1)
            print("\(test.endpoints) endpoints, \(test.kilobytes) kB:", result.allocations, result.allocationsKept)
            guard result.allocations <= allocationsMax.plain, result.allocationsKept <= allocationsMax.kept else {
                print("more than \(allocationsMax.plain) allocations a decision, or \(allocationsMax.kept) with a log")
                throw Failure()
            }
        }
    }

    /// A budget was missed; what was is printed.
    struct Failure: Error {}

    // MARK: - Measuring

    private struct Result {
        var plain: [Double] = []
        var kept: [Double] = []
        var allocations = 0
        var allocationsKept = 0
    }

    /// Microseconds of CPU per decision, with and without a log of decisions, in turns.
    private static func measure(_ test: Case, rounds: Int) throws -> Result {
        let plain = try Picker(endpoints: test.endpoints, kilobytes: test.kilobytes, keptDecisions: 0)
        let kept = try Picker(endpoints: test.endpoints, kilobytes: test.kilobytes, keptDecisions: 1_000)
        let count = max(50, 40_000 / (test.kilobytes * 2 + test.endpoints / 10 + 5))
        // The log is full and the index warm before anything counts.
        plain.decide(1_100)
        kept.decide(1_100)
        var result = Result()
        for round in 0..<rounds {
            for isKept in round.isMultiple(of: 2) ? [false, true] : [true, false] {
                let picker = isKept ? kept : plain
                picker.prepare(count)
                let (start, allocations) = (martlet_thread_nanoseconds(), martlet_allocations())
                picker.decide(count)
                let spent = Double(martlet_thread_nanoseconds() - start) / 1_000 / Double(count)
                let asked = Int(martlet_allocations() - allocations + UInt64(count) / 2) / count
                if isKept {
                    result.kept.append(spent)
                    result.allocationsKept = asked
                } else {
                    result.plain.append(spent)
                    result.allocations = asked
                }
            }
        }
        return result
    }

    /// Whether ten times the endpoints, and ten times the bytes, cost no more than ten times as much; a quarter is
    /// allowed for the machine, whose caches hold a small case and not a large one.
    private static func checkGrowth(_ medians: [[Double]]) -> Bool {
        var isLinear = true
        for small in medians {
            for large in medians {
                let (endpoints, bytes, cost) = (large[0] / small[0], large[1] / small[1], large[2] / small[2])
                let isStep = (endpoints == 10 && bytes == 1) || (endpoints == 1 && bytes > 1 && bytes < 100)
                guard isStep, cost > max(endpoints, bytes) * 1.25 else { continue }
                isLinear = false
                print("not linear: \(endpoints) × the endpoints and \(bytes) × the bytes cost \(fixed(cost)) ×")
            }
        }
        return isLinear
    }

    // MARK: - Text

    static func spread(_ values: [Double]) -> String {
        let sorted = values.sorted()
        return "\(fixed(sorted[sorted.count / 2])) [\(fixed(sorted[0]))–\(fixed(sorted[sorted.count - 1]))]"
    }

    private static func fixed(_ value: Double) -> String {
        "\((value * 10).rounded() / 10)"
    }

    static func pad(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}
