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
/// prints how the gateway of one is configured.
///
/// Stops at the first seed whose world breaks a promise, says so in one line with what repeats it, and exits with 1.
/// Otherwise the last line says `clean` with the counts.
@main
struct Simulate {
    private static let usage = "usage: simulate [--seeds N] [--first-seed M] | simulate --show SEED"

    private struct State {
        var counts = SeedRun.Counts()
        var failure: (seed: UInt64, what: String)?
    }

    static func main() async {
        var seeds: UInt64 = 2_000
        var first: UInt64 = 1
        var arguments = CommandLine.arguments.dropFirst().makeIterator()
        while let flag = arguments.next() {
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
