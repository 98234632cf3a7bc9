import BuiltinPlugins
import DataLayer
import GatewayConfiguration
import GatewayCore
import ModelServerSimulator

/// Three times as much traffic as a pool can serve, for ten minutes: a fifth of it interactive with the priority 10,
/// the rest batch with the priority −1. All clients send at their own pace, whatever becomes of their requests.
///
/// Two engines with 40 sequences each, whose steps take 0.4 to 0.5 s: slow, so that ten minutes are few requests.
/// Prompts have 100 to 200 tokens, 64 of them shared; answers have 32 to 64. Nobody waits longer than a minute in the
/// queue, nor two and a half for an answer. The detector is also a filter of the scheduling profile, before the default
/// scorers.
package struct OverloadScenario: Sendable {
    /// Who sends.
    package enum Traffic: Sendable {
        /// Interactive clients alone.
        case interactive
        /// Batch clients alone: with three times the capacity, the pool at saturation.
        case batch
        /// Both.
        case both
    }

    /// How a gateway is set up.
    package struct Setup: Sendable {
        /// The name, for people.
        package let name: String
        /// The saturation detector; `nil` for a gateway without flow control.
        let detector: String?
        /// The usage-limit policy.
        var usage = "static-usage-limit-policy"
        /// Whether requests that run are ended for more important ones.
        var evicts = false
    }

    /// What came of a run, without its first minute.
    package struct Figures: Hashable, Sendable {
        /// The median time to the first token of interactive requests in seconds.
        package var medianFirstToken = 0.0
        /// The time to the first token in seconds that 99 of 100 interactive requests did not exceed.
        package var lateFirstToken = 0.0
        /// Interactive requests that were answered whole, per second.
        package var interactiveRate = 0.0
        /// Batch requests that were answered whole, per second.
        package var batchRate = 0.0
        /// Batch requests that an engine had and that were not answered whole, per second.
        package var brokenBatchRate = 0.0
        /// The share of interactive requests that were not.
        package var interactiveLosses = 0.0
    }

    /// As many requests as the engines' batches hold, and batch requests end for interactive ones that find no room.
    package static let concurrencyWithEviction = Setup(
        name: "concurrency-detector, eviction", detector: concurrency, evicts: true)

    /// As many requests as the engines' batches hold: their own queues, which know no priorities, stay empty.
    private static let concurrency = "concurrency-detector, parameters: {maxConcurrency: 40}"
    /// The shortest queue that an engine can tell of.
    private static let utilization = "utilization-detector, parameters: {queueDepthThreshold: 1}"

    /// The setups that are compared.
    package static let setups = [
        Setup(name: "without flow control", detector: nil),
        Setup(name: "concurrency-detector", detector: concurrency),
        Setup(
            name: "concurrency-detector, priority-holdback-policy with minCeiling 0.95",
            detector: concurrency,
            usage: "priority-holdback-policy, parameters: {minCeiling: 0.95}"
        ),
        concurrencyWithEviction,
        Setup(name: "utilization-detector", detector: utilization),
        Setup(name: "utilization-detector, eviction", detector: utilization, evicts: true),
        Setup(name: "learned-capacity-detector", detector: "learned-capacity-detector"),
        Setup(name: "learned-capacity-detector, eviction", detector: "learned-capacity-detector", evicts: true),
    ]

    /// How long after the beginning nothing counts.
    private static let warmUpSeconds = 60
    /// How long clients send.
    private var seconds = 600

    /// The seed.
    package var seed: UInt64
    /// What the pool serves at saturation, in requests per second.
    package var capacity: Double

    /// Makes the scenario of a pool with `capacity`.
    package init(seed: UInt64 = 1, capacity: Double) {
        self.seed = seed
        self.capacity = capacity
    }

    /// Requests per second that the pool serves at saturation.
    ///
    /// - Parameters:
    ///   - seed: the seed.
    ///   - seconds: for how long clients send; more than 60. A shorter run is less exact.
    /// - Throws: ``InvariantViolation`` for what does not hold.
    package static func measureCapacity(seed: UInt64 = 1, seconds: Int = 600) throws -> Double {
        // More than it can be; a concurrency of twice the engines' own keeps their batches full.
        let setup = Setup(name: "", detector: "concurrency-detector, parameters: {maxConcurrency: 80}")
        var scenario = OverloadScenario(seed: seed, capacity: 5)
        scenario.seconds = seconds
        return try scenario.run(.batch, setup).batchRate
    }

    /// Runs the scenario.
    ///
    /// - Throws: ``InvariantViolation`` for what does not hold.
    package func run(_ traffic: Traffic, _ setup: Setup) throws -> Figures {
        let picker = try EndpointPickerConfiguration.decode(text: Self.text(setup), file: "scenario")
        var promises = QueuePromises()
        promises.conservesWork = false
        let simulation = try GatewaySimulation(world(traffic), picker: picker, promises: promises)
        return figures(of: try simulation.run())
    }

    private func world(_ traffic: Traffic) -> SimulationConfiguration {
        var world = SimulationConfiguration(seed: seed)
        world.engine.maxRunningSequences = 40
        world.engine.interTokenLatency = .milliseconds(400)
        world.engine.interTokenLatencyPerSequence = .milliseconds(2)
        world.engine.prefillTokensPerSecond = 8_000
        world.engine.blockCount = 4_096
        world.endpoints = 2
        world.priorities = ["interactive": 10, "batch": -1]
        world.scrape.interval = .milliseconds(500)
        world.timeLimit = .seconds(36_000)
        world.workload.prefixes = 4
        world.workload.prefixTokens = 64
        world.workload.rampMilliseconds = 1_000
        world.workload.departures = 1
        world.workload.patienceMilliseconds = 150_000...150_000
        // Classes keep their places, so that interactive requests are the same with and without batch.
        world.workload.classes = [
            traffic == .batch ? nil : clients("interactive", share: 0.2),
            traffic == .interactive ? nil : clients("batch", share: 0.8),
        ].compactMap(\.self)
        return world
    }

    private func clients(_ objective: String, share: Double) -> TrafficClass {
        var trafficClass = TrafficClass()
        trafficClass.fairnessID = objective
        trafficClass.objective = objective
        trafficClass.clients = 10
        let rate = 3 * capacity * share
        trafficClass.gapMilliseconds = Int((Double(trafficClass.clients) * 1_000 / rate).rounded())
        trafficClass.requestsPerClient = seconds * 1_000 / trafficClass.gapMilliseconds
        trafficClass.isOpen = true
        trafficClass.suffixTokens = 36...136
        trafficClass.outputTokens = 32...64
        return trafficClass
    }

    private func figures(of report: SimulationReport) -> Figures {
        let start = MonotonicInstant(nanoseconds: 0).advanced(by: .seconds(Self.warmUpSeconds))
        let end = MonotonicInstant(nanoseconds: 0).advanced(by: .seconds(seconds))
        let span = Double(seconds - Self.warmUpSeconds)
        let inTime = report.requests.filter { $0.sentAt >= start && $0.sentAt < end && $0.objective == "interactive" }
        var figures = Figures()
        let times = inTime.compactMap { $0.timeToFirstToken?.fractionalSeconds }.sorted()
        if !times.isEmpty {
            figures.medianFirstToken = times[times.count / 2]
            figures.lateFirstToken = times[min(times.count - 1, times.count * 99 / 100)]
        }
        figures.interactiveLosses =
            inTime.isEmpty ? 0 : Double(inTime.count { $0.ending != .completed }) / Double(inTime.count)
        let completed = report.requests.filter { $0.endedAt >= start && $0.endedAt < end && $0.ending == .completed }
        figures.interactiveRate = Double(completed.count { $0.objective == "interactive" }) / span
        figures.batchRate = Double(completed.count { $0.objective == "batch" }) / span
        let broken = report.requests.count { request in
            request.endedAt >= start && request.endedAt < end && request.objective == "batch"
                && request.ending != .completed && !request.attempts.isEmpty
        }
        figures.brokenBatchRate = Double(broken) / span
        return figures
    }

    private static func text(_ setup: Setup) -> String {
        let scorers = """
            - {name: queue, type: queue-scorer}
            - {name: cache, type: kv-cache-utilization-scorer}
            - {name: prefix, type: prefix-cache-scorer}
            """
        let profile = """
            {pluginRef: queue, weight: 2}, {pluginRef: cache, weight: 2}, {pluginRef: prefix, weight: 3}
            """
        guard let detector = setup.detector else {
            return """
                apiVersion: llm-d.ai/v1alpha1
                kind: EndpointPickerConfig
                plugins:
                \(scorers)
                schedulingProfiles:
                - {name: default, plugins: [\(profile)]}
                """
        }
        return """
            apiVersion: llm-d.ai/v1alpha1
            kind: EndpointPickerConfig
            featureGates: [flowControl]
            plugins:
            \(scorers)
            - {name: detector, type: \(detector)}
            - {name: usage, type: \(setup.usage)}
            schedulingProfiles:
            - {name: default, plugins: [{pluginRef: detector}, \(profile)]}
            flowControl:
              defaultRequestTTL: 60s
              enableEviction: \(setup.evicts)
              saturationDetector: {pluginRef: detector}
              usageLimitPolicyPluginRef: usage
            """
    }
}
