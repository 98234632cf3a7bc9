import GatewayCore

/// Prefers endpoints that hold much of the prompt in their prefix cache.
///
/// With m matched of n blocks, b tokens a block, weight w and scale s: `w * min(1, m*b/s)² + (1-w) * m/n`; the first
/// part values long matches by their absolute length. Without blocks or data the score is 0.
struct PrefixCacheScorer: Scorer {
    static let descriptor = PluginDescriptor(
        type: "prefix-cache-scorer",
        summary: "Prefers endpoints that already hold the prompt's prefix in their cache."
    )

    private let matches: DataReader<PrefixCacheMatches>
    private let lengthWeight: Double
    private let lengthScaleTokens: Double

    /// Reads `prefixMatchInfoProducerName` (default: the approximate index), `matchLengthWeight` (0 ... 1, default 0)
    /// and `matchLengthScaleTokens` (default 8,192).
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        matches = context.consume(
            PrefixCacheMatches.key,
            producerNamedAt: "prefixMatchInfoProducerName",
            in: parameters
        )
        lengthWeight = parameters.double("matchLengthWeight", default: 0, in: 0...1)
        lengthScaleTokens = Double(parameters.int("matchLengthScaleTokens", default: 8192, in: 1...(.max)))
    }

    func score(_ candidates: Candidates, context: SchedulingContext, into scores: inout MutableSpan<Double>) {
        guard let matches = context.scratch[matches], matches.totalBlocks > 0 else { return }
        let total = Double(matches.totalBlocks)
        let lengthShare = Double(matches.blockSizeTokens) / lengthScaleTokens
        for index in scores.indices {
            let matched = Double(matches.matchedBlocks(on: candidates[index]))
            let length = min(1, matched * lengthShare)
            scores[index] = lengthWeight * length * length + (1 - lengthWeight) * matched / total
        }
    }
}
