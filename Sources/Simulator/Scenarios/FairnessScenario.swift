import DataLayer
import GatewayConfiguration
import GatewayCore
import ModelServerSimulator

/// Two tenants of one priority, both of which want more than half of a pool: one sends ten times as many requests as
/// the other, with prompts twice as long.
///
/// Two engines with eight sequences each and steps of 0.4 s. Nobody waits longer than 15 seconds in the queue, so that
/// both tenants are backlogged from there to the end.
package struct FairnessScenario: Sendable {
    /// What the tenants got while both were backlogged.
    package struct Figures: Hashable, Sendable {
        /// Tokens of the busy tenant: one for each prompt token that was computed, two for each that was generated.
        package var busyTokens = 0.0
        /// Tokens of the other tenant.
        package var quietTokens = 0.0

        /// How many times as much the busy tenant got.
        package var ratio: Double { busyTokens / quietTokens }
    }

    /// The fairness policies that are compared, as a configuration names them.
    package static let policies = [
        "global-strict-fairness-policy", "round-robin-fairness-policy", tokenCounter, deficitRoundRobin,
    ]
    /// Compares tokens.
    package static let tokenCounter = "virtual-token-counter-fairness-policy"
    /// Gives out tokens, in turns short enough for two minutes.
    package static let deficitRoundRobin = "deficit-round-robin-fairness-policy, parameters: {quantum: 512}"

    private static let seconds = 150
    private static let warmUpSeconds = 20

    /// The seed.
    package var seed: UInt64 = 1

    /// Makes the scenario.
    package init() {}

    /// Runs the scenario under a policy.
    ///
    /// - Throws: ``InvariantViolation`` for what does not hold.
    package func run(_ policy: String) throws -> Figures {
        let picker = try EndpointPickerConfiguration.decode(
            text: """
                apiVersion: llm-d.ai/v1alpha1
                kind: EndpointPickerConfig
                featureGates: [flowControl]
                plugins:
                - {name: detector, type: concurrency-detector, parameters: {maxConcurrency: 8}}
                - {name: fairness, type: \(policy)}
                flowControl:
                  defaultRequestTTL: 15s
                  saturationDetector: {pluginRef: detector}
                  defaultPriorityBand: {fairnessPolicyRef: fairness}
                """,
            file: "scenario"
        )
        var world = SimulationConfiguration(seed: seed)
        world.endpoints = 2
        world.engine.maxRunningSequences = 8
        world.engine.interTokenLatency = .milliseconds(400)
        world.scrape.interval = .milliseconds(500)
        world.workload.prefixes = 1
        world.workload.prefixTokens = 4
        world.workload.classes = [
            Self.tenant("busy", requestsPerSecond: 40, suffixTokens: 100...300),
            Self.tenant("quiet", requestsPerSecond: 4, suffixTokens: 50...150),
        ]
        return Self.figures(of: try GatewaySimulation(world, picker: picker).run())
    }

    private static func tenant(
        _ name: String, requestsPerSecond rate: Int, suffixTokens: ClosedRange<Int>
    ) -> TrafficClass {
        var trafficClass = TrafficClass()
        trafficClass.fairnessID = name
        trafficClass.clients = 10
        trafficClass.gapMilliseconds = trafficClass.clients * 1_000 / rate
        trafficClass.requestsPerClient = seconds * 1_000 / trafficClass.gapMilliseconds
        trafficClass.isOpen = true
        trafficClass.suffixTokens = suffixTokens
        trafficClass.outputTokens = 4...12
        return trafficClass
    }

    private static func figures(of report: SimulationReport) -> Figures {
        let start = MonotonicInstant(nanoseconds: 0).advanced(by: .seconds(warmUpSeconds))
        let end = MonotonicInstant(nanoseconds: 0).advanced(by: .seconds(seconds))
        var figures = Figures()
        for request in report.requests
        where request.ending == .completed && request.endedAt >= start && request.endedAt < end {
            let tokens = Double(request.promptTokens - request.cachedTokens + 2 * request.outputTokens)
            if request.fairnessID == "busy" { figures.busyTokens += tokens } else { figures.quietTokens += tokens }
        }
        return figures
    }
}
