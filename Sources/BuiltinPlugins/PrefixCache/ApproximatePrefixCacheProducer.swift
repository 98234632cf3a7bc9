import GatewayCore
import Synchronization

/// Guesses which endpoints hold a prompt's prefix from where earlier prompts were sent.
///
/// The prompt's bytes are hashed once per request, in blocks of `blockSizeTokens` tokens of four bytes, chained from a
/// seed of model and cache salt. A request that is sent adds its blocks to an LRU of the endpoint that it goes to; the
/// LRU has the size of the engine's cache where the engine tells it, and follows it. An endpoint that left, or whose
/// engine started anew, holds nothing.
final class ApproximatePrefixCacheProducer: PrefixCacheProducer, PreRequest, EndpointObserver {
    static let descriptor = PluginDescriptor(
        type: "approx-prefix-cache-producer",
        summary: "Remembers which prompt prefixes were sent to which endpoint."
    )

    /// Smaller blocks cost more to look up than their precision is worth; engines use 16 to 64 tokens.
    private static let minBlockSizeTokens = 64
    /// Larger block sizes are not believed: no engine has them.
    private static let maxBlockSizeTokens = 65_536

    private let matches: DataWriter<PrefixCacheMatches>
    private let hashing: PromptBlocks.Hashing
    private let autoTune: Bool
    private let blockSizeTokens: Int
    private let maxPrefixTokens: Int
    private let maxPrefixBlocks: Int
    private let capacityPerEndpoint: Int
    private let index = Mutex(EndpointCacheIndex())

    /// Reads `autoTune` (default true), `blockSizeTokens` (16; at least 64 take effect), `maxPrefixTokensToMatch`
    /// (131,072), `lruCapacityPerServer` (31,250 blocks), and the deprecated `blockSize` (characters) and
    /// `maxPrefixBlocksToMatch` (2,048; 0 for no limit; counts only when `maxPrefixTokensToMatch` is 0).
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        matches = context.produce(PrefixCacheMatches.key)
        hashing = PromptBlocks.Hashing(context: &context)
        autoTune = parameters.bool("autoTune", default: true)
        let characters = parameters.int("blockSize", default: 0, in: 0...Self.maxBlockSizeTokens)
        if characters > 0 { parameters.warn("is deprecated: use blockSizeTokens", at: "blockSize") }
        let fallback = characters > 0 ? max(1, characters / PromptBlocks.Hashing.bytesPerToken) : 16
        blockSizeTokens = parameters.int("blockSizeTokens", default: fallback, in: 1...Self.maxBlockSizeTokens)
        maxPrefixTokens = parameters.int("maxPrefixTokensToMatch", default: 131_072, in: 0...(.max))
        maxPrefixBlocks = parameters.int("maxPrefixBlocksToMatch", default: 2048, in: 0...(.max))
        if parameters.contains("maxPrefixBlocksToMatch") {
            parameters.warn("is deprecated: use maxPrefixTokensToMatch", at: "maxPrefixBlocksToMatch")
        }
        capacityPerEndpoint = parameters.int("lruCapacityPerServer", default: 31_250, in: 1...Self.maxCapacity)
    }

    func produce(for candidates: Candidates, context: inout SchedulingContext) {
        let blockSize = effectiveBlockSize(candidates)
        let hashes = hashing.hashes(&context, blockSizeTokens: blockSize, limit: limit(blockSizeTokens: blockSize))
        let matched = index.withLock { $0.match(hashes, candidates: candidates) }
        context.scratch[matches] = PrefixCacheMatches(
            hashes: hashes,
            blockSizeTokens: blockSize,
            matchedBlocks: matched
        )
    }

    func holdsPrefix(of context: SchedulingContext, on endpoint: EndpointSnapshot) -> Bool {
        context.scratch[matches].map { $0.matchedBlocks(on: endpoint) > 0 } ?? false
    }

    func cachedTokens(of context: SchedulingContext, on endpoint: EndpointSnapshot) -> Int {
        context.scratch[matches].map { $0.matchedBlocks(on: endpoint) * $0.blockSizeTokens } ?? 0
    }

    func lookedUpTokens(of context: SchedulingContext) -> Int {
        context.scratch[matches].map { $0.totalBlocks * $0.blockSizeTokens } ?? 0
    }

    var rememberedBlocks: Int? { index.withLock { $0.entryCount } }

    func willSend(_ decision: SchedulingDecision, context: inout SchedulingContext) {
        guard let matches = context.scratch[matches], !matches.hashes.isEmpty else { return }
        let blockSize = matches.blockSizeTokens
        let primary = decision.endpoint
        // In a disaggregated pool the prompt is computed, and so cached, at the prefiller too.
        let prefill = decision.prefill?.endpoints[0]
        index.withLock { index in
            index.insert(matches.hashes, endpoint: primary, capacity: capacity(of: primary, blockSize))
            if let prefill {
                index.insert(matches.hashes, endpoint: prefill, capacity: capacity(of: prefill, blockSize))
            }
        }
    }

    func endpointDidLeave(_ endpoint: EndpointSnapshot) {
        index.withLock { $0.forget(endpoint) }
    }

    /// The engine's block size where one has told it, else the configured one; never below the minimum.
    private func effectiveBlockSize(_ candidates: Candidates) -> Int {
        var size = blockSizeTokens
        if autoTune {
            for position in candidates.positions {
                let told = candidates.all[position].metrics.cacheBlockSizeTokens
                guard (1...Self.maxBlockSizeTokens).contains(told) else { continue }
                size = told
                break
            }
        }
        return max(Self.minBlockSizeTokens, size)
    }

    /// The most blocks of a prompt that are matched.
    private func limit(blockSizeTokens: Int) -> Int {
        if maxPrefixTokens > 0 { return max(1, maxPrefixTokens / blockSizeTokens) }
        return maxPrefixBlocks > 0 ? maxPrefixBlocks : .max
    }

    /// The blocks of `blockSize` tokens that `endpoint`'s cache holds, as its engine tells it, or as configured.
    private func capacity(of endpoint: EndpointSnapshot, _ blockSize: Int) -> Int {
        let metrics = endpoint.metrics
        guard autoTune, metrics.cacheBlockCount > 0, metrics.cacheBlockSizeTokens > 0 else {
            return capacityPerEndpoint
        }
        let (tokens, overflow) = metrics.cacheBlockCount.multipliedReportingOverflow(by: metrics.cacheBlockSizeTokens)
        if overflow { return Self.maxCapacity }
        return min(max(1, tokens / blockSize), Self.maxCapacity)
    }

    /// The most blocks that one endpoint's LRU may be asked to hold; with 64-token blocks a cache of a billion tokens.
    private static let maxCapacity = 1 << 24
}
