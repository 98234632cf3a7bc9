import DataLayer
package import GatewayConfiguration
import GatewayCore
import ModelServerSimulator

/// A world in which everything is drawn from a seed: servers, traffic, faults, and how the queue is configured.
package struct RandomWorld: Sendable {
    /// The world.
    package var configuration: SimulationConfiguration
    /// The gateway's configuration.
    package private(set) var picker: EndpointPickerConfiguration
    /// The same as text, for the reader of a failure.
    package private(set) var text: String
    /// What the configuration promises.
    package private(set) var promises = QueuePromises()

    /// Draws a world.
    ///
    /// - Parameter roundRobin: the type of the policy that serves flows in turn.
    /// - Throws: ``GatewayCore/ConfigurationError`` when the drawn configuration cannot be read: a fault of this type.
    package init(seed: UInt64, roundRobin: String = "round-robin-fairness-policy") throws {
        configuration = SimulationConfiguration(seed: seed)
        var draw = Draw(random: RandomSource(seed: seed ^ 0x5EED))
        configuration.endpoints = draw.number(1...4)
        configuration.engine.blockCount = draw.number(160...800)
        configuration.engine.maxRunningSequences = draw.number(2...8)
        configuration.engine.interTokenLatency = .milliseconds(draw.number(5...40))
        if draw.isTrue(0.2) { configuration.engine.maxQueuedRequests = draw.number(2...8) }
        configuration.scrape.interval = .milliseconds(draw.oneOf([50, 50, 200, 1_000]))
        configuration.lostScrapes = draw.isTrue(0.3) ? draw.share() * 0.5 : 0
        if draw.isTrue(0.3) { configuration.scrapeDelay = .milliseconds(draw.number(1...400)) }
        configuration.workload.prefixes = draw.number(1...3)
        configuration.workload.prefixTokens = draw.number(16...200)
        configuration.workload.departures = draw.isTrue(0.5) ? draw.share() * 0.3 : 0
        configuration.workload.rampMilliseconds = 200
        configuration.workload.patienceMilliseconds = 1...800
        configuration.timeLimit = .seconds(3_600)
        configuration.priorities = ["interactive": 10, "batch": -1, "lowest": -2_147_483_648, "highest": 2_147_483_647]
        configuration.workload.classes = Self.traffic(endpoints: configuration.endpoints, &draw)
        configuration.faults = Self.faults(endpoints: configuration.endpoints, &draw)
        if draw.isTrue(0.1) { configuration.shutDownAt = .milliseconds(draw.number(100...1_500)) }
        let flow = FlowText(&draw, roundRobin: roundRobin)
        text = flow.text
        promises = flow.promises
        if configuration.workload.classes.contains(where: { $0.onlyEndpoint != nil }) { promises.forgetOrder() }
        picker = try EndpointPickerConfiguration.decode(text: text, file: "seed \(seed)")
    }

    private static func traffic(endpoints: Int, _ draw: inout Draw) -> [TrafficClass] {
        let objectives = ["", "interactive", "batch", "lowest", "highest"]
        // Many flows of one priority, or few of several.
        let isCrowd = draw.isTrue(0.2)
        let objective = draw.oneOf(objectives)
        let isConstrained = draw.isTrue(0.15)
        return (0..<(isCrowd ? draw.number(5...12) : draw.number(1...4))).map { number in
            var trafficClass = TrafficClass()
            trafficClass.fairnessID = "tenant-\(isCrowd ? number : draw.number(0...3))"
            trafficClass.objective = isCrowd ? objective : draw.oneOf(objectives)
            trafficClass.clients = draw.number(1...(isCrowd ? 2 : 6))
            trafficClass.requestsPerClient = draw.number(1...5)
            trafficClass.isOpen = draw.isTrue(0.6)
            trafficClass.gapMilliseconds = draw.number(1...60)
            trafficClass.suffixTokens = 1...draw.number(2...120)
            trafficClass.outputTokens = 1...draw.number(2...mostOutput)
            if isConstrained, draw.isTrue(0.5) { trafficClass.onlyEndpoint = draw.number(0...(endpoints - 1)) }
            return trafficClass
        }
    }

    /// The most tokens of an answer.
    fileprivate static let mostOutput = 16

    private static func faults(endpoints: Int, _ draw: inout Draw) -> [TimedFault] {
        var milliseconds = 0
        return (0..<draw.number(0...6)).map { _ in
            milliseconds += draw.number(0...400)
            let endpoint = draw.number(0...(endpoints - 1))
            let fault: SimulatedFault =
                switch draw.number(0...6) {
                case 0: .kill(endpoint)
                case 1, 2: .start(endpoint)
                case 3: .leave(endpoint)
                case 4, 5: .join(endpoint)
                default: .slow(endpoint, factor: 0.5 + 5 * draw.share())
                }
            return TimedFault(at: .milliseconds(milliseconds), fault)
        }
    }

    /// Draws from a random source.
    fileprivate struct Draw {
        var random: RandomSource

        mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

        mutating func share() -> Double { random.unit() }

        mutating func isTrue(_ chance: Double) -> Bool { random.unit() < chance }

        mutating func oneOf<Value>(_ values: [Value]) -> Value { values[number(0...(values.count - 1))] }
    }

    /// A configuration of flow control as its users write it.
    fileprivate struct FlowText {
        let text: String
        var promises = QueuePromises()

        init(_ draw: inout Draw, roundRobin: String) {
            let detector = draw.oneOf([
                "{name: detector, type: concurrency-detector, parameters: {maxConcurrency: \(draw.number(1...6))}}",
                "{name: detector, type: concurrency-detector, parameters: "
                    + "{concurrencyMode: hybrid, maxConcurrency: \(draw.number(1...6)), "
                    + "maxTokenConcurrency: \(draw.number(100...2_000))}}",
                "{name: detector, type: utilization-detector, parameters: "
                    + "{queueDepthThreshold: \(draw.number(1...4)), metricsStalenessThreshold: 500ms}}",
                "{name: detector, type: learned-capacity-detector}",
            ])
            let quantum = draw.number(20...400)
            let tokenCounter = "virtual-token-counter-fairness-policy"
            let rounds = "deficit-round-robin-fairness-policy, parameters: {quantum: \(quantum)}"
            let fairness = draw.oneOf([
                "global-strict-fairness-policy", roundRobin, "program-aware-fairness", tokenCounter, rounds,
            ])
            let ordering = draw.oneOf([
                "fcfs-ordering-policy", "edf-ordering-policy", "slo-deadline-ordering-policy", "fcfs-ordering-policy",
                "shortest-uncached-prefill-ordering-policy",
            ])
            let usage = draw.oneOf([
                "static-usage-limit-policy", "static-usage-limit-policy",
                "static-usage-limit-policy, parameters: {threshold: 0.6}",
                "priority-holdback-policy, parameters: {minCeiling: 0.5}",
                "priority-holdback-policy, parameters: {minCeiling: 0.3, maxCeiling: 0.9, domain: value}",
                "soft-reflective-ceiling-policy",
            ])
            let evicts = draw.isTrue(0.3)
            let share = draw.isTrue(0.3) ? [0.1, 0.25, 0.5][draw.number(0...2)] : 0
            // 0 is for ever.
            let ttl = draw.isTrue(0.15) ? "0s" : "\(draw.number(50...3_000))ms"
            text = """
                apiVersion: llm-d.ai/v1alpha1
                kind: EndpointPickerConfig
                featureGates: [flowControl]
                plugins:
                - \(detector)
                - {name: fairness, type: \(fairness)}
                - {name: ordering, type: \(ordering)}
                - {name: usage, type: \(usage)}
                flowControl:
                  maxRequests: \(draw.number(1...40))
                  maxBytes: \(draw.number(2...200))k
                  defaultRequestTTL: \(ttl)
                  noEndpointRequestTTL: \(draw.number(50...3_000))ms
                  lowerPriorityShare: \(share)
                  enableEviction: \(evicts)
                  saturationDetector: {pluginRef: detector}
                  usageLimitPolicyPluginRef: usage
                  defaultPriorityBand:
                    {maxRequests: \(draw.number(1...30)), fairnessPolicyRef: fairness, orderingPolicyRef: ordering}
                """
            let isStatic = usage.hasPrefix("static-usage-limit-policy")
            let usesAll = usage == "static-usage-limit-policy"
            promises.conservesWork = usesAll
            promises.firstComeFirstServed = !ordering.hasPrefix("shortest")
            if fairness == tokenCounter { promises.tokens = .leastFirst(mostOutput: RandomWorld.mostOutput) }
            if fairness == rounds {
                promises.tokens = .rounds(quantum: Double(quantum), mostOutput: RandomWorld.mostOutput)
            }
            // A ceiling below a full pool, and a share for lower priorities, let lower ones go while higher ones wait.
            promises.strictPriorities = share == 0 && (isStatic || usage.hasPrefix("priority-holdback"))
            promises.takesTurns = fairness == roundRobin
            promises.mostPassesOver = share > 0 && usesAll ? Int((1 / share).rounded(.up)) + 1 : nil
        }
    }
}
