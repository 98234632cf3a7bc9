/// What a simulated engine can do and how fast it does it. The defaults resemble one accelerator of the middle class
/// with an eight-billion-parameter model.
package struct EngineParameters: Sendable, Hashable {
    /// Sequences computed together, at least 1.
    package var maxRunningSequences = 64

    /// Requests the engine holds, running and waiting together, before it refuses the next one; nil means no limit.
    /// (The limit of the real engine counts the running ones too.)
    package var maxQueuedRequests: Int?

    /// Tokens of all sequences computed in one step, at least 1. A longer prompt is computed in several steps (chunked
    /// prefill).
    package var maxBatchedTokens = 2_048

    /// Prompt tokens computed in a second, above 0; `.infinity` computes any prompt in no time.
    package var prefillTokensPerSecond = 20_000.0

    /// Time of a step that decodes one sequence.
    package var interTokenLatency: Duration = .milliseconds(10)

    /// Time each further decoding sequence adds to a step.
    package var interTokenLatencyPerSequence: Duration = .microseconds(50)

    /// Time between arrival and the first chance to be scheduled: tokenisation and hand-over.
    package var timeToFirstTokenOverhead: Duration = .milliseconds(5)

    /// Tokens in one block of the KV cache, at least 1.
    package var blockSizeTokens = 16

    /// Blocks of the KV cache, at least 2: one of them is the null block, which holds nothing and is not counted in
    /// usage.
    package var blockCount = 4_096

    /// Whether full blocks stay findable after their sequence ended.
    package var prefixCaching = true

    /// Tokens of one sequence, prompt and output together; nil means what the KV cache holds, at most 32,768.
    package var maxModelLength: Int?

    /// Adapters resident at once; 0 means the engine serves no adapter.
    package var maxLoRAs = 4

    /// Time to bring an adapter into a slot.
    package var adapterLoadTime: Duration = .milliseconds(200)

    /// Seed of generated texts and of their lengths. Two engines with one seed answer one prompt alike.
    package var seed: UInt64 = 0

    /// Longest output, in tokens, of a request that gives no limit itself; at least 1.
    package var maxNaturalOutputTokens = 128

    /// The defaults.
    package init() {}

    /// Parameters under which every request is answered at the instant it arrives, for tests of what stands before the
    /// engine.
    package static var instant: EngineParameters {
        var parameters = EngineParameters()
        parameters.prefillTokensPerSecond = .infinity
        parameters.interTokenLatency = .zero
        parameters.interTokenLatencyPerSequence = .zero
        parameters.timeToFirstTokenOverhead = .zero
        parameters.adapterLoadTime = .zero
        return parameters
    }

    /// Tokens all blocks but the null block hold.
    package var cacheCapacityTokens: Int {
        let (product, overflow) = (blockCount - 1).multipliedReportingOverflow(by: blockSizeTokens)
        return overflow ? .max : product
    }

    /// The longest sequence the engine accepts, in tokens.
    package var effectiveMaxModelLength: Int {
        maxModelLength ?? min(32_768, cacheCapacityTokens)
    }

    /// - Throws: ``EngineParametersError`` for the first value out of its range.
    package func validate() throws(EngineParametersError) {
        try require("maxRunningSequences", maxRunningSequences, in: 1...65_536)
        try require("maxBatchedTokens", maxBatchedTokens, in: 1...1_048_576)
        try require("blockSizeTokens", blockSizeTokens, in: 1...65_536)
        try require("blockCount", blockCount, in: 2...16_777_216)
        try require("maxLoRAs", maxLoRAs, in: 0...65_536)
        try require("maxNaturalOutputTokens", maxNaturalOutputTokens, in: 1...1_048_576)
        if let maxQueuedRequests {
            try require("maxQueuedRequests", maxQueuedRequests, in: 0...Int.max)
        }
        guard prefillTokensPerSecond > 0 else {
            throw EngineParametersError(
                description: "prefillTokensPerSecond is \(prefillTokensPerSecond); it must be above 0"
            )
        }
        for (name, duration) in [
            ("interTokenLatency", interTokenLatency),
            ("interTokenLatencyPerSequence", interTokenLatencyPerSequence),
            ("timeToFirstTokenOverhead", timeToFirstTokenOverhead),
            ("adapterLoadTime", adapterLoadTime),
        ] where duration < .zero {
            throw EngineParametersError(description: "\(name) is \(duration); a duration cannot be negative")
        }
        // A sequence that outgrows the whole cache could never end: it would be preempted by itself for ever.
        guard effectiveMaxModelLength >= 2, effectiveMaxModelLength <= cacheCapacityTokens else {
            throw EngineParametersError(
                description: """
                    maxModelLength is \(effectiveMaxModelLength) tokens; it must be at least 2 and at most the \
                    \(cacheCapacityTokens) tokens that \(blockCount) blocks of \(blockSizeTokens) tokens hold, \
                    less the null block
                    """
            )
        }
    }

    private func require(_ name: String, _ value: Int, in range: ClosedRange<Int>) throws(EngineParametersError) {
        guard range.contains(value) else {
            throw EngineParametersError(
                description: "\(name) is \(value); it must be from \(range.lowerBound) to \(range.upperBound)"
            )
        }
    }
}

/// A parameter of the engine is out of its range.
package struct EngineParametersError: Error, Hashable, CustomStringConvertible {
    /// A sentence with the parameter, its value and the range.
    package let description: String
}
