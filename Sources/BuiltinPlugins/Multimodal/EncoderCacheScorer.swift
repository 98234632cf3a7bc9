import GatewayCore

/// Prefers endpoints that hold the request's media in their encoder's cache: the share of the different media that the
/// endpoint holds. Without media or data the score is 0.
struct EncoderCacheScorer: Scorer {
    static let descriptor = PluginDescriptor(
        type: "mm-embeddings-cache-scorer",
        summary: "Prefers endpoints whose encoder has already seen the request's pictures, films and recordings."
    )

    private let matches: DataReader<EncoderCacheMatches>

    /// Reads `producerName` (default: the only producer of its type).
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        matches = context.consume(EncoderCacheMatches.key, producerNamedAt: "producerName", in: parameters)
    }

    func score(_ candidates: Candidates, context: SchedulingContext, into scores: inout MutableSpan<Double>) {
        guard let matches = context.scratch[matches], !matches.items.isEmpty else { return }
        let total = Double(matches.items.count)
        for index in scores.indices { scores[index] = Double(matches.heldItems(on: candidates[index])) / total }
    }
}
