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

    var uniformCeiling: Double? { ceiling }

    func ceilings(at saturation: Double, priorities: [Int], cycle: UInt64) -> [Double] {
        Array(repeating: ceiling, count: priorities.count)
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

    func ceilings(at saturation: Double, priorities: [Int], cycle: UInt64) -> [Double] {
        guard let highest = priorities.first, let lowest = priorities.last, highest > lowest else {
            return Array(repeating: settings.maxCeiling, count: priorities.count)
        }
        let span = settings.maxCeiling - settings.minCeiling
        return priorities.enumerated().map { rank, priority in
            let ceiling =
                switch settings.domain {
                case .rank: settings.maxCeiling - Double(rank) * span / Double(priorities.count - 1)
                case .value:
                    settings.minCeiling
                        + (Double(priority) - Double(lowest)) / (Double(highest) - Double(lowest)) * span
                }
            // Rounding must not take the ends out of the range, let alone below 0.
            return min(max(ceiling, settings.minCeiling), settings.maxCeiling)
        }
    }
}

/// Lets lower priorities through less and less often as the pool fills, instead of not at all.
///
/// With N priorities and the saturation s the one of rank i, 0 for the highest, has the ceiling `1 - i * s / (N - 1)`.
/// Below it the pool is the priority's; above it, it is open for one look at the queues of every `round(s / (1 - s))`;
/// when the pool is full it is closed to all but the highest.
struct SoftReflectiveCeilingPolicy: UsageLimitPolicy {
    static let descriptor = PluginDescriptor(
        type: "soft-reflective-ceiling-policy",
        stability: .alpha,
        summary: "Lets lower priorities through less and less often as the pool fills."
    )

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func ceilings(at saturation: Double, priorities: [Int], cycle: UInt64) -> [Double] {
        guard priorities.count > 1 else { return priorities.map { _ in 1 } }
        // What is no number, or below 0, is no saturation at all.
        let saturation = saturation > 0 ? saturation : 0
        // More looks than this between two are as good as none.
        let period = saturation < 1 ? UInt64(min(1_000_000, max(1, (saturation / (1 - saturation)).rounded()))) : 0
        let isOpen = period > 0 && cycle % period == 0
        return priorities.indices.map { rank in
            if rank == 0 { return 1 }
            if saturation >= 1 { return 0 }
            let ceiling = 1 - Double(rank) * saturation / Double(priorities.count - 1)
            return saturation < ceiling || isOpen ? 1 : 0
        }
    }
}
