import GatewayCore

/// How long a request's prompt is, in tokens and in bytes of the body, and which tokens its first bytes are.
///
/// The two have no fixed proportion. A picture in the body has a hundred times the bytes that its tokens would have as
/// text, and prompts of token ids are digits in the body. What is known by bytes, as the matches of a prefix cache are,
/// is made tokens here before it is compared with any.
struct PromptSize: Sendable {
    /// The tokens, 0 or more.
    let tokens: Int
    /// The bytes; 0 when nobody knows them.
    private let bytes: Int
    private let features: [PromptTokens.Feature]

    /// The size of the prompt of `request`: as `known` counts it, or as the request itself says without that.
    init(_ request: InferenceRequest, _ known: PromptTokens?) {
        tokens = max(0, known?.count ?? request.inputTokens)
        bytes = request.promptRanges.reduce(0) { $0 + $1.count }
        features = known?.features ?? []
    }

    /// How many tokens the first `count` bytes of the prompt are, 0 ... ``tokens``. A part of a picture is a part of
    /// its tokens.
    func tokens(ofFirst count: Int) -> Int {
        guard count > 0 else { return 0 }
        if bytes > 0, count >= bytes { return tokens }
        guard let feature = lastFeature(before: count) else {
            guard features.isEmpty, bytes > 0 else { return min(tokens, Self.textTokens(count)) }
            // As exact as the count itself: it is in proportion to the bytes, or nothing is known of the proportion.
            return bytes.dividingFullWidth(tokens.multipliedFullWidth(by: count)).quotient
        }
        let beyond = count - feature.bytes.upperBound
        if beyond >= 0 { return min(tokens, feature.tokens.upperBound + Self.textTokens(beyond)) }
        let share = feature.tokens.count * (count - feature.bytes.lowerBound) / feature.bytes.count
        return min(tokens, feature.tokens.lowerBound + share)
    }

    /// The last feature that begins within the first `count` bytes.
    private func lastFeature(before count: Int) -> PromptTokens.Feature? {
        var (low, high) = (0, features.count)
        while low < high {
            let middle = (low + high) / 2
            if features[middle].bytes.lowerBound < count { low = middle + 1 } else { high = middle }
        }
        return low > 0 ? features[low - 1] : nil
    }

    private static func textTokens(_ bytes: Int) -> Int { bytes / PromptBlocks.Hashing.bytesPerToken }
}
