import BuiltinPlugins
package import GatewayCore

/// Runs random worlds, one for each seed.
package struct SeedRun: Sendable {
    /// What came of worlds that ran clean.
    package struct Counts: Hashable, Sendable {
        /// Worlds.
        package var seeds = 0
        /// Requests.
        package var requests = 0
        /// Requests with a whole answer.
        package var completed = 0
        /// Requests that were refused.
        package var refused = 0
        /// Requests that flow control let go.
        package var dispatches = 0
        /// Steps.
        package var steps = 0

        /// Nothing.
        package init() {}

        /// Adds what came of other worlds.
        package static func += (left: inout Counts, right: Counts) {
            left.seeds += right.seeds
            left.requests += right.requests
            left.completed += right.completed
            left.refused += right.refused
            left.dispatches += right.dispatches
            left.steps += right.steps
        }
    }

    private let breakage: Breakage?
    private let registry: PluginRegistry
    private let replacesFairness: String?

    /// Makes a run.
    ///
    /// - Parameters:
    ///   - breakage: what is broken on purpose.
    ///   - registry: the plugin types; `nil` for the built-in ones.
    ///   - fairness: a type that takes the place of `round-robin-fairness-policy`; `nil` for none.
    package init(
        breakage: Breakage? = nil,
        registry: PluginRegistry? = nil,
        replacingRoundRobinWith fairness: String? = nil
    ) {
        self.breakage = breakage
        self.registry = registry ?? BuiltinCatalogue.registry()
        replacesFairness = fairness
    }

    /// Runs the world of one seed.
    ///
    /// - Throws: ``InvariantViolation`` for what does not hold; an error for a world that cannot be built.
    package func run(seed: UInt64) throws -> Counts {
        var world = try RandomWorld(seed: seed, roundRobin: replacesFairness ?? "round-robin-fairness-policy")
        world.configuration.breakage = breakage
        let simulation = try GatewaySimulation(
            world.configuration,
            picker: world.picker,
            registry: registry,
            promises: world.promises
        )
        let report = try simulation.run()
        var counts = Counts()
        counts.seeds = 1
        counts.requests = report.requests.count
        counts.completed = report.count(.completed)
        counts.refused = report.requests.count { if case .refused = $0.ending { true } else { false } }
        counts.dispatches = simulation.queueCheck.dispatches
        counts.steps = report.steps
        return counts
    }
}
