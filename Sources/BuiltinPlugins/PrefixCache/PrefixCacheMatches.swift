import GatewayCore

/// How much of a request's prompt each endpoint is believed to hold in its prefix cache.
final class PrefixCacheMatches: Sendable {
    /// The key; without a producer's name it means the approximate index.
    static let key = DataKey<PrefixCacheMatches>(
        "PrefixCacheMatchInfo",
        defaultProducer: ApproximatePrefixCacheProducer.descriptor.type
    )

    /// The hashes of the prompt's blocks from its start, each covering all before it.
    let hashes: [UInt64]
    /// The tokens of a block.
    let blockSizeTokens: Int
    /// By endpoint slot: how many blocks from the prompt's start the endpoint holds. Slots behind the end hold none.
    private let matchedBlocks: [Int32]

    /// Makes a record.
    ///
    /// - Parameters:
    ///   - hashes: the prompt's block hashes.
    ///   - blockSizeTokens: the tokens of a block, at least 1.
    ///   - matchedBlocks: by slot, at most `hashes.count` each.
    init(hashes: [UInt64], blockSizeTokens: Int, matchedBlocks: [Int32]) {
        self.hashes = hashes
        self.blockSizeTokens = blockSizeTokens
        self.matchedBlocks = matchedBlocks
    }

    /// The blocks of the prompt, counted to the limit of what is matched; the last one may be partial.
    var totalBlocks: Int { hashes.count }

    /// How many blocks from the prompt's start `endpoint` holds, 0 ... ``totalBlocks``.
    func matchedBlocks(on endpoint: EndpointSnapshot) -> Int {
        matchedBlocks.indices.contains(endpoint.slot) ? Int(matchedBlocks[endpoint.slot]) : 0
    }

    /// The tokens of the blocks that `endpoint` holds, 0 or more, the last one as a whole block. A token of a block is
    /// four bytes of the prompt, whatever the bytes mean to the engine; see ``cachedTokens(of:on:)``.
    func matchedTokens(on endpoint: EndpointSnapshot) -> Int {
        let (tokens, overflow) = matchedBlocks(on: endpoint).multipliedReportingOverflow(by: blockSizeTokens)
        return overflow ? .max : tokens
    }

    /// How many tokens of `prompt`, as that counts them, `endpoint` holds from the prompt's start, 0 ...
    /// ``PromptSize/tokens``.
    func cachedTokens(of prompt: PromptSize, on endpoint: EndpointSnapshot) -> Int {
        let (bytes, overflow) = matchedTokens(on: endpoint)
            .multipliedReportingOverflow(by: PromptBlocks.Hashing.bytesPerToken)
        return prompt.tokens(ofFirst: overflow ? .max : bytes)
    }

    /// Whether none of `candidates` holds the prompt's first block.
    func isCold(_ candidates: Candidates) -> Bool {
        candidates.positions.allSatisfy { matchedBlocks(on: candidates.all[$0]) == 0 }
    }
}
