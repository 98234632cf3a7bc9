import GatewayCore

/// Takes the request that the ordering policy puts first, whatever flow it belongs to: no fairness between flows.
struct GlobalStrictFairnessPolicy: FairnessPolicy {
    static let descriptor = PluginDescriptor(
        type: "global-strict-fairness-policy",
        summary: "Serves the request that the ordering policy puts first, whatever its flow."
    )

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}
}

/// Serves the flows of a priority in turn, in the order of their names; a flow without waiting requests is passed over.
struct RoundRobinFairnessPolicy: FairnessPolicy {
    static let descriptor = PluginDescriptor(
        type: "round-robin-fairness-policy",
        summary: "Serves the flows of a priority in turn."
    )

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}
}

/// Serves the program that has had the least of the engines' work lately; a program is what has a fairness id.
struct ProgramAwareFairnessPolicy: FairnessPolicy {
    static let descriptor = PluginDescriptor(
        type: "program-aware-fairness",
        summary: "Serves the program that has had the least of the engines' work lately."
    )

    /// What the configuration says.
    struct Parameters: Hashable, Sendable {
        /// How the programs are compared.
        enum Strategy: String, CaseIterable, Sendable {
            /// By the work that each has had: prompt tokens and twice the generated tokens, fading with time.
            case leastAttainedService = "las"
        }

        /// How the programs are compared (`strategy`).
        var strategy = Strategy.leastAttainedService
        /// The weight of the work that a program has had (`lasWeightService`), 0 or more.
        var serviceWeight = 0.8
        /// The weight of how long a program's first request waits (`lasWeightHeadWait`), 0 or more.
        var headWaitWeight = 0.2
        /// The time in which work counts half (`lasHalfLifeSeconds`); `nil` for work that never fades.
        var halfLife: Duration? = .seconds(60)
        /// How long a program is remembered that sends nothing (`evictionTtlSeconds`); `nil` for ever.
        var evictionTTL: Duration? = .seconds(3600)
        /// How often programs are looked through for those to forget (`evictionSweepSeconds`).
        var evictionSweep = Duration.seconds(300)
    }

    /// What the configuration says.
    let settings: Parameters

    /// Reads the parameters that ``Parameters`` names; times are seconds, up to a year, and 0 means `nil`.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        let year = 31_536_000.0
        var settings = Parameters()
        settings.strategy = parameters.enumeration("strategy", default: settings.strategy)
        let weights = 0.0...1_000_000
        settings.serviceWeight = parameters.double("lasWeightService", default: settings.serviceWeight, in: weights)
        settings.headWaitWeight = parameters.double("lasWeightHeadWait", default: settings.headWaitWeight, in: weights)
        if let seconds = parameters.double("lasHalfLifeSeconds", in: 0...year) {
            settings.halfLife = seconds == 0 ? nil : .seconds(seconds)
        }
        if let seconds = parameters.double("evictionTtlSeconds", in: 0...year) {
            settings.evictionTTL = seconds == 0 ? nil : .seconds(seconds)
        }
        let sweep = parameters.positive("evictionSweepSeconds", default: 300, atMost: year)
        settings.evictionSweep = .seconds(sweep)
        self.settings = settings
    }
}
