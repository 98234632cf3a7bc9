import GatewayCore
import Synchronization

/// Sends the requests of a burst that share a prompt to one endpoint, before any cache can know the prompt.
///
/// No request waits for others of its burst. The first of a prompt goes where the other scorers want it, with one block
/// of match on the endpoint that got least in the window, which decides between equals. Those that follow within
/// ``BurstWindow``'s time get a full match on the endpoint that the first one went to, up to `maxPerReplica`, then on
/// the next. What the data says is where a request should go, not what a cache holds.
final class BurstPrefixCacheProducer: DataProducer, PreRequest {
    static let descriptor = PluginDescriptor(
        type: "burst-prefix-cache-producer",
        stability: .alpha,
        summary: "Sends requests with the same prompt that come at the same time to the same endpoint."
    )

    private enum Balance: String, CaseIterable {
        case requests, tokens
    }

    /// The blocks of a prompt that are looked at, unless the configuration says otherwise.
    private static let defaultMaxBlocks = 2048
    /// What -1 means for `maxBatchSize`: nothing grows without bound.
    private static let mostRequests = 65_536
    private static let maxBlockSizeTokens = 65_536

    private let matches: DataWriter<PrefixCacheMatches>
    private let hashing: PromptBlocks.Hashing
    private let blockSizeTokens: Int
    private let maxBlocks: Int
    private let familyBlocks: Int
    private let window: Mutex<BurstWindow>

    /// Reads `windowDurationMs` (100; 1 ... 10,000), `maxPerReplica` (-1 for no limit), `blockSizeTokens` (64),
    /// `maxPrefixTokensToMatch` (0 for 2,048 blocks; else at least a block), `minColocateBlocks` (0: only identical
    /// prompts meet), `maxBatchSize` (1,000 requests per window; -1 for 65,536) and `balanceBy` (`requests` or
    /// `tokens`).
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        matches = context.produce(PrefixCacheMatches.key)
        hashing = PromptBlocks.Hashing(context: &context)
        let milliseconds = parameters.int("windowDurationMs", default: 100, in: 1...10_000)
        blockSizeTokens = parameters.int("blockSizeTokens", default: 64, in: 1...Self.maxBlockSizeTokens)
        let maxTokens = parameters.int("maxPrefixTokensToMatch", default: 0, in: 0...(.max))
        if maxTokens > 0, maxTokens < blockSizeTokens {
            parameters.report(
                "\(maxTokens) is less than a block of \(blockSizeTokens) tokens: no prompt would ever match",
                at: "maxPrefixTokensToMatch"
            )
        }
        maxBlocks = maxTokens > 0 ? max(1, maxTokens / blockSizeTokens) : Self.defaultMaxBlocks
        familyBlocks = parameters.int("minColocateBlocks", default: 0, in: 0...(.max))
        window = Mutex(
            BurstWindow(
                duration: .milliseconds(milliseconds),
                maxPerReplica: Self.count("maxPerReplica", default: -1, unlimited: .max, parameters),
                maxRequests: Self.count("maxBatchSize", default: 1000, unlimited: Self.mostRequests, parameters),
                countsBlocks: parameters.enumeration("balanceBy", default: Balance.requests) == .tokens
            )
        )
    }

    func produce(for candidates: Candidates, context: inout SchedulingContext) {
        let hashes = hashing.hashes(&context, blockSizeTokens: blockSizeTokens, limit: maxBlocks)
        guard let prompt = BurstWindow.Prompt(hashes, familyBlocks: familyBlocks) else { return }
        let now = context.now
        let advice = window.withLock { $0.advice(prompt, candidates, now: now) }
        let matched: [Int32] =
            switch advice {
            case .follow(let slot): Self.matches(Int32(clamping: hashes.count), slot: slot)
            // One block of one would be a full match.
            case .balance(let slot): hashes.count > 1 ? Self.matches(1, slot: slot) : []
            case .none: []
            }
        context.scratch[matches] = PrefixCacheMatches(
            hashes: hashes,
            blockSizeTokens: blockSizeTokens,
            matchedBlocks: matched
        )
    }

    func willSend(_ decision: SchedulingDecision, context: inout SchedulingContext) {
        guard let hashes = context.scratch[matches]?.hashes,
            let prompt = BurstWindow.Prompt(hashes, familyBlocks: familyBlocks)
        else { return }
        let now = context.now
        window.withLock { $0.note(prompt, on: decision.endpoint, now: now) }
    }

    /// By slot: a match on one endpoint. Slots that no pool has are left out.
    private static func matches(_ blocks: Int32, slot: Int) -> [Int32] {
        guard 0..<EndpointCacheIndex.maxSlots ~= slot else { return [] }
        var matches = [Int32](repeating: 0, count: slot + 1)
        matches[slot] = blocks
        return matches
    }

    /// A count of at least 1, or -1 for `unlimited`.
    private static func count(
        _ key: String,
        default fallback: Int,
        unlimited: Int,
        _ parameters: ParameterDecoder
    ) -> Int {
        let count = parameters.int(key, default: fallback, in: -1...(1 << 30))
        if count == 0 { parameters.report("0 is neither -1 nor at least 1", at: key) }
        return count < 1 ? unlimited : min(count, unlimited)
    }
}
