package import GatewayCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Picks at random, each candidate with a probability in proportion to its score.
///
/// Sampling without replacement by the keys of Efraimidis and Spirakis ("Weighted random sampling with a reservoir",
/// 2006): the largest of `U^(1/score)` win, compared here as `log(U) / score`, which keeps its precision where the power
/// would underflow. Candidates with a score of 0 or less come behind all others. Without a positive score every candidate
/// is equally likely.
package struct WeightedRandomPicker: Picker {
    package static let descriptor = PluginDescriptor(
        type: "weighted-random-picker",
        summary: "Picks at random, with a probability in proportion to the score."
    )

    private let maxEndpoints: Int

    /// Reads `maxNumOfEndpoints` (default 1).
    package init(parameters: ParameterDecoder, context: inout PluginContext) {
        maxEndpoints = parameters.maxEndpoints()
    }

    package func pick(_ candidates: Candidates, scores: Span<Double>, context: inout SchedulingContext) -> [Int] {
        var total = 0.0
        for index in scores.indices where scores[index] > 0 { total += scores[index] }
        guard total > 0 else { return context.random.sample(maxEndpoints, below: scores.count) }
        guard maxEndpoints > 1 else { return [Self.draw(scores, total: total, random: &context.random)] }

        var ranked: [(index: Int, key: Double, lot: UInt64)] = []
        ranked.reserveCapacity(scores.count)
        for index in scores.indices {
            // 1 - unit() is in (0, 1], so the logarithm is finite.
            let key = scores[index] > 0 ? log(1 - context.random.unit()) / scores[index] : -.infinity
            ranked.append((index, key, context.random.next()))
        }
        ranked.sort { ($0.key, $0.lot) > ($1.key, $1.lot) }
        return ranked.prefix(maxEndpoints).map(\.index)
    }

    /// One draw: the candidate in whose part of the line 0 ..< `total` a random point falls.
    private static func draw(_ scores: Span<Double>, total: Double, random: inout RandomSource) -> Int {
        var rest = random.unit() * total
        var last = 0
        for index in scores.indices where scores[index] > 0 {
            last = index
            rest -= scores[index]
            if rest < 0 { return index }
        }
        // Rounding can leave a rest of about an ulp behind the last part.
        return last
    }
}
