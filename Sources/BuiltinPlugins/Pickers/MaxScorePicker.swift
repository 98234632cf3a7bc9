import GatewayCore

/// Picks the highest scores; equal scores are in random order.
struct MaxScorePicker: Picker {
    static let descriptor = PluginDescriptor(
        type: "max-score-picker",
        summary: "Picks the candidate with the highest score; ties are broken at random."
    )

    private let maxEndpoints: Int

    /// Reads `maxNumOfEndpoints` (default 1).
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        maxEndpoints = parameters.maxEndpoints()
    }

    func pick(_ candidates: Candidates, scores: Span<Double>, context: inout SchedulingContext) -> [Int] {
        guard maxEndpoints > 1 else { return [Self.best(scores, random: &context.random)] }
        var ranked: [(index: Int, score: Double, lot: UInt64)] = []
        ranked.reserveCapacity(scores.count)
        for index in scores.indices {
            ranked.append((index, scores[index], context.random.next()))
        }
        ranked.sort { ($0.score, $0.lot) > ($1.score, $1.lot) }
        return ranked.prefix(maxEndpoints).map(\.index)
    }

    /// The index of the highest score. The n-th of equal scores replaces the choice with probability 1/n, which makes
    /// every one of them equally likely in one pass.
    private static func best(_ scores: Span<Double>, random: inout RandomSource) -> Int {
        var best = 0
        var ties = 1
        for index in 1..<max(1, scores.count) {
            if scores[index] > scores[best] {
                best = index
                ties = 1
            } else if scores[index] == scores[best] {
                ties += 1
                if Int.random(in: 0..<ties, using: &random) == 0 { best = index }
            }
        }
        return best
    }
}
