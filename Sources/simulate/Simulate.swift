import Simulator
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// `simulate --seeds N --first-seed M`: runs the random worlds of N seeds, on all processors. `simulate --show SEED`
/// prints how the gateway of one is configured, `simulate --overload` what setups of flow control make of an overload.
///
/// Stops at the first seed whose world breaks a promise, says so in one line with what repeats it, and exits with 1.
/// Otherwise the last line says `clean` with the counts.
@main
struct Simulate {
    private static let usage =
        "usage: simulate [--seeds N] [--first-seed M] | simulate --show SEED | simulate --overload"

    private struct State {
        var counts = SeedRun.Counts()
        var failure: (seed: UInt64, what: String)?
    }

    static func main() async {
        var seeds: UInt64 = 2_000
        var first: UInt64 = 1
        var arguments = CommandLine.arguments.dropFirst().makeIterator()
        while let flag = arguments.next() {
            if flag == "--overload" { return await overload() }
            guard let value = arguments.next().flatMap(UInt64.init), value < 1 << 48 else {
                return leave(usage, status: 2)
            }
            switch flag {
            case "--seeds": seeds = value
            case "--first-seed": first = value
            case "--show": return show(value)
            default: return leave(usage, status: 2)
            }
        }
        let state = await run(first..<first + seeds)
        if let failure = state.failure {
            leave("\(failure.what); repeat it with: make simulate SEEDS=1 FIRST_SEED=\(failure.seed)", status: 1)
        }
        let counts = state.counts
        print(
            "clean: \(counts.seeds) seeds from \(first), \(counts.requests) requests, \(counts.dispatches) dispatches, "
                + "\(counts.completed) completed, \(counts.refused) refused, \(counts.steps) steps"
        )
    }

    /// Prints the gateway's configuration in the world of a seed, and what comes of the world.
    private static func show(_ seed: UInt64) {
        do {
            let world = try RandomWorld(seed: seed)
            print(world.text)
            print("\(world.configuration.endpoints) endpoints, \(world.promises)")
            print("\(try SeedRun().run(seed: seed))")
        } catch {
            leave("\(error)", status: 1)
        }
    }

    /// Prints what setups of flow control make of an overload.
    private static func overload() async {
        do {
            let capacity = try OverloadScenario.measureCapacity()
            print("capacity: \(fixed(capacity)) requests/s")
            let scenario = OverloadScenario(capacity: capacity)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for setup in OverloadScenario.setups {
                    group.addTask {
                        let alone = try scenario.run(.interactive, setup)
                        let both = try scenario.run(.both, setup)
                        print(line(setup.name, both: both, alone: alone, capacity: capacity))
                    }
                }
                try await group.waitForAll()
            }
            print("two tenants, 10 : 1 in requests and 2 : 1 in the length of prompts; tokens served:")
            for policy in FairnessScenario.policies {
                let figures = try FairnessScenario().run(policy)
                print("\(policy): \(Int(figures.busyTokens)) : \(Int(figures.quietTokens)) = \(fixed(figures.ratio))")
            }
        } catch {
            leave("\(error)", status: 1)
        }
    }

    private static func line(
        _ name: String,
        both: OverloadScenario.Figures,
        alone: OverloadScenario.Figures,
        capacity: Double
    ) -> String {
        let left = capacity - alone.interactiveRate
        let ratio = both.lateFirstToken / alone.lateFirstToken
        return """
            \(name):
                interactive: first token p50 \(fixed(both.medianFirstToken)) s, p99 \(fixed(both.lateFirstToken)) s; \
            alone \(fixed(alone.medianFirstToken)) s, \(fixed(alone.lateFirstToken)) s; p99 \(fixed(ratio)) times; \
            \(fixed(both.interactiveRate)) requests/s, \(fixed(both.interactiveLosses * 100)) % lost
                batch: \(fixed(both.batchRate)) of \(fixed(left)) requests/s that are left, \
            \(fixed(both.batchRate / left)); \(fixed(both.brokenBatchRate)) requests/s broken off
            """
    }

    private static func fixed(_ value: Double) -> String { "\((value * 1_000).rounded() / 1_000)" }

    private static func run(_ seeds: Range<UInt64>) async -> State {
        let work = Work(seeds: seeds)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) {
                group.addTask { while work.runNext() {} }
            }
        }
        return work.state.withLock { $0 }
    }

    /// The seeds that are left, and what came of the others.
    private final class Work: Sendable {
        let state = Mutex(State())
        private let next: Atomic<UInt64>
        private let end: UInt64

        init(seeds: Range<UInt64>) {
            next = Atomic(seeds.lowerBound)
            end = seeds.upperBound
        }

        /// Runs the next seed; `false` when there is none, or one was found that breaks a promise.
        func runNext() -> Bool {
            let seed = next.wrappingAdd(1, ordering: .relaxed).oldValue
            guard seed < end, state.withLock({ $0.failure == nil }) else { return false }
            do {
                let counts = try SeedRun().run(seed: seed)
                state.withLock { state in
                    state.counts += counts
                    if state.counts.seeds % 10_000 == 0 { print("\(state.counts.seeds) seeds") }
                }
            } catch {
                // Of several, the smallest seed is told.
                state.withLock { state in
                    if let known = state.failure, known.seed < seed { return }
                    state.failure = (seed, "\(error)")
                }
            }
            return true
        }
    }

    private static func leave(_ line: String, status: Int32) {
        print(line)
        fflush(nil)
        exit(status)
    }
}
