import GatewayCore

/// Picks at random, each candidate with a probability in proportion to its score.
///
/// Several endpoints are drawn one after the other, without putting one back. Candidates with a score of 0 or less come
/// behind all others, in random order; without a positive score every candidate is equally likely.
struct WeightedRandomPicker: Picker {
    static let descriptor = PluginDescriptor(
        type: "weighted-random-picker",
        summary: "Picks at random, with a probability in proportion to the score."
    )

    private let maxEndpoints: Int

    /// Reads `maxNumOfEndpoints` (default 1).
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        maxEndpoints = parameters.maxEndpoints()
    }

    func pick(_ candidates: Candidates, scores: Span<Double>, context: inout SchedulingContext) -> [Int] {
        guard let first = Self.draw(scores, random: &context.random) else {
            return context.random.sample(maxEndpoints, below: scores.count)
        }
        guard maxEndpoints > 1 else { return [first] }

        let count = min(maxEndpoints, scores.count)
        var picks = [first]
        var weights = scores.indices.map { scores[$0] }
        weights[first] = 0
        while picks.count < count, let next = Self.draw(weights.span, random: &context.random) {
            picks.append(next)
            weights[next] = 0
        }
        if picks.count < count {
            let rest = scores.indices.filter { !(scores[$0] > 0) }
            picks += context.random.sample(count - picks.count, below: rest.count).map { rest[$0] }
        }
        return picks
    }

    /// The index in whose part of the line from 0 to the sum of the positive weights a random point falls; `nil` when
    /// no weight is positive.
    private static func draw(_ weights: Span<Double>, random: inout RandomSource) -> Int? {
        var total = 0.0
        var last: Int?
        for index in weights.indices where weights[index] > 0 {
            total += weights[index]
            last = index
        }
        guard let last else { return nil }
        var rest = random.unit() * total
        for index in weights.indices where weights[index] > 0 {
            rest -= weights[index]
            if rest < 0 { return index }
        }
        // Rounding can leave a rest of about an ulp behind the last part.
        return last
    }
}
