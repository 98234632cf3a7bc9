import GatewayCore

/// Lets every priority use the pool up to the same saturation.
struct StaticUsageLimitPolicy: UsageLimitPolicy {
    static let descriptor = PluginDescriptor(
        type: "static-usage-limit-policy",
        summary: "Lets every priority use the pool up to the same saturation."
    )

    /// The saturation from which on nobody is served, 0 or more.
    let ceiling: Double

    /// Reads `threshold` (default 1).
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        ceiling = parameters.double("threshold", default: 1, in: 0...1_000_000)
    }
}

/// Keeps a part of the pool for the higher priorities: the lower a priority, the earlier it must wait.
struct PriorityHoldbackPolicy: UsageLimitPolicy {
    static let descriptor = PluginDescriptor(
        type: "priority-holdback-policy",
        stability: .alpha,
        summary: "Keeps a part of the pool for the higher priorities."
    )

    /// What the configuration says.
    struct Parameters: Hashable, Sendable {
        /// How the ceilings run from the lowest to the highest (`shape`).
        enum Shape: String, CaseIterable, Sendable {
            /// In equal steps.
            case linear
        }

        /// What places a priority between the lowest and the highest (`domain`).
        enum Domain: String, CaseIterable, Sendable {
            /// Its rank: with N priorities that of rank i, 0 for the highest, has `max - i * (max - min) / (N - 1)`.
            case rank
            /// Its value: the priority p has `min + (p - lowest) / (highest - lowest) * (max - min)`.
            case value
        }

        /// How the ceilings run.
        var shape = Shape.linear
        /// What places a priority.
        var domain = Domain.rank
        /// The ceiling of the lowest priority (`minCeiling`), 0 or more and below ``maxCeiling``.
        var minCeiling: Double
        /// The ceiling of the highest priority (`maxCeiling`), above 0 and at most 1.
        var maxCeiling = 1.0
    }

    /// What the configuration says.
    let settings: Parameters

    /// Reads `shape` (`linear`), `domain` (`rank` or `value`, default `rank`), `minCeiling`, which is required, and
    /// `maxCeiling` (default 1).
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        parameters.require("minCeiling")
        var settings = Parameters(minCeiling: parameters.double("minCeiling", default: 0, in: 0...1))
        settings.shape = parameters.enumeration("shape", default: settings.shape)
        settings.domain = parameters.enumeration("domain", default: settings.domain)
        settings.maxCeiling = parameters.positive("maxCeiling", default: settings.maxCeiling, atMost: 1)
        if settings.minCeiling >= settings.maxCeiling {
            parameters.report(
                "\(settings.minCeiling) is not below maxCeiling, which is \(settings.maxCeiling)",
                at: "minCeiling"
            )
        }
        self.settings = settings
    }
}

/// Lets lower priorities through less and less often as the pool fills, instead of not at all.
struct SoftReflectiveCeilingPolicy: UsageLimitPolicy {
    static let descriptor = PluginDescriptor(
        type: "soft-reflective-ceiling-policy",
        stability: .alpha,
        summary: "Lets lower priorities through less and less often as the pool fills."
    )

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}
}
