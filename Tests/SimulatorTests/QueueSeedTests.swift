import BuiltinPlugins
import GatewayCore
import Simulator
import Testing

/// Random worlds with queues. A failure names its seed, and `make simulate SEEDS=1 FIRST_SEED=…` repeats it.
@Suite("Queues in random worlds")
struct QueueSeedTests {
    @Test("2,000 seeds keep every promise", arguments: 0..<20)
    func keepEveryPromise(hundred: Int) throws {
        for seed in UInt64(hundred * 100 + 1)...UInt64(hundred * 100 + 100) {
            let counts = try SeedRun().run(seed: seed)
            #expect(counts.seeds == 1)
        }
    }

    @Test("a release that is lost is found")
    func findsALostRelease() {
        #expect(Self.firstFailure { try SeedRun(breakage: .losesRelease).run(seed: $0) } != nil)
    }

    @Test("a request that is answered twice is found")
    func findsADoubleAnswer() {
        #expect(Self.firstFailure { try SeedRun(breakage: .answersTwice).run(seed: $0) } != nil)
    }

    @Test("a pick that is not fair is found")
    func findsAnUnfairPick() {
        var registry = BuiltinCatalogue.registry()
        registry.register(FavouritePolicy.self)
        let run = SeedRun(registry: registry, replacingRoundRobinWith: FavouritePolicy.descriptor.type)
        let found = Self.firstFailure { try run.run(seed: $0) }
        #expect(found?.contains("went twice") ?? false, "\(found ?? "nothing was found")")
    }

    /// What is said of the first of a thousand seeds that breaks a promise; `nil` when none does.
    private static func firstFailure(_ run: (UInt64) throws -> SeedRun.Counts) -> String? {
        for seed in UInt64(1)...1_000 {
            do { _ = try run(seed) } catch { return "\(error)" }
        }
        return nil
    }
}

/// Serves the same flow for as long as it can, whatever it promised.
private struct FavouritePolicy: FairnessPolicy {
    static let descriptor = PluginDescriptor(type: "favourite-fairness-policy", summary: "Serves its favourite flow.")

    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func makeState() -> any FairnessState { State() }

    private struct State: FairnessState {
        mutating func add(flow: Int, id: String) {}

        mutating func remove(flow: Int) {}

        mutating func next(among waiting: [WaitingFlow], now: MonotonicInstant) -> Int {
            waiting.indices.max { waiting[$0].count < waiting[$1].count } ?? 0
        }
    }
}
