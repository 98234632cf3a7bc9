import GatewayCore

/// Prefers endpoints with many free blocks in their KV cache: the one with the most scores 1, a full one 0.
struct FreeBlocksScorer: Scorer {
    static let descriptor = PluginDescriptor(
        type: "free-blocks-scorer",
        summary: "Prefers endpoints with many free blocks in their KV cache."
    )

    private let reserve: Double

    init(parameters: ParameterDecoder, context: inout PluginContext) {
        reserve = parameters.double("reserve", default: 0, in: 0...1)
    }

    func score(_ candidates: Candidates, context: SchedulingContext, into scores: inout MutableSpan<Double>) {
        var most = 0.0
        for index in 0..<candidates.count {
            scores[index] = freeBlocks(candidates[index].metrics)
            most = max(most, scores[index])
        }
        guard most > 0 else { return }
        for index in 0..<candidates.count { scores[index] /= most }
    }

    private func freeBlocks(_ metrics: EndpointMetrics) -> Double {
        let share = 1 - reserve - metrics.kvCacheUsage
        // An engine that tells no number, or an impossible one, has none to offer.
        guard share > 0, share <= 1, metrics.cacheBlockCount > 0 else { return 0 }
        return share * Double(metrics.cacheBlockCount)
    }
}
