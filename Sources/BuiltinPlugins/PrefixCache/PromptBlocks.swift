import GatewayCore
import PrefixIndex

/// The hashes of the blocks of a request's prompt.
final class PromptBlocks: Sendable {
    /// The key. All that hash prompts write to it, so that a prompt is hashed once per request, however many they are
    /// and however often the request is tried, as long as they cut it alike.
    static let key = DataKey<PromptBlocks>("PromptBlocks")
    /// The name that all writers of the key share.
    private static let writers = "prompt-hashing"

    /// The tokens of a block.
    let blockSizeTokens: Int
    /// The most blocks that were wanted.
    let limit: Int
    /// The hashes of the prompt's blocks from its start, each covering all before it; at most ``limit``.
    let hashes: [UInt64]

    private init(blockSizeTokens: Int, limit: Int, hashes: [UInt64]) {
        self.blockSizeTokens = blockSizeTokens
        self.limit = limit
        self.hashes = hashes
    }

    /// Whether these are the first `limit` hashes of blocks of `blockSizeTokens`.
    private func serve(blockSizeTokens: Int, limit: Int) -> Bool {
        // Fewer hashes than were wanted are those of the whole prompt.
        self.blockSizeTokens == blockSizeTokens
            && (self.limit == limit || hashes.count < self.limit && hashes.count <= limit)
    }

    /// The right to hash the prompts of requests; see ``PromptBlocks/key``.
    struct Hashing: Sendable {
        /// The estimate of this configuration format: a token is four bytes of prompt.
        static let bytesPerToken = 4

        private let blocks: DataWriter<PromptBlocks>

        /// Declares that the plugin being built hashes prompts.
        init(context: inout PluginContext) {
            blocks = context.produce(PromptBlocks.key, as: PromptBlocks.writers)
        }

        /// The hashes of the prompt's blocks, from its start.
        ///
        /// - Parameters:
        ///   - context: the request.
        ///   - blockSizeTokens: the tokens of a block, 1 or more.
        ///   - limit: the most blocks.
        func hashes(_ context: inout SchedulingContext, blockSizeTokens: Int, limit: Int) -> [UInt64] {
            if let known = context.scratch[blocks], known.serve(blockSizeTokens: blockSizeTokens, limit: limit) {
                return known.hashes
            }
            let request = context.request
            let hasher = BlockHasher(
                model: request.targetModel,
                cacheSalt: request.cacheSalt,
                blockBytes: blockSizeTokens * Self.bytesPerToken
            )
            let hashes = request.body.withBytes { bytes in
                hasher.hashes(of: bytes, ranges: request.promptRanges, maxBlocks: limit)
            }
            context.scratch[blocks] = PromptBlocks(blockSizeTokens: blockSizeTokens, limit: limit, hashes: hashes)
            return hashes
        }
    }
}
