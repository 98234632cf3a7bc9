/// One sequence to compute: a prompt and how much to generate after it.
package struct SimulatedRequest: Sendable, Hashable {
    /// Tokens of the prompt, at least one.
    package var prompt: [SimulatedToken]

    /// How much is generated.
    package var output: Output

    /// Name of the LoRA adapter the request runs with; nil for the base model. Adapters do not share cached blocks.
    package var adapter: String?

    /// Distinguishes requests with one prompt that shall not get one answer, as the choices of `n` do.
    package var variation: UInt64

    /// How much is generated.
    package enum Output: Sendable, Hashable {
        /// The engine ends by itself after a length drawn from the seed and the prompt, or at `limit` if that is
        /// sooner.
        case natural(limit: Int?)
        /// Exactly this many tokens, or as many as the longest sequence allows.
        case exactly(Int)
        /// As many tokens as the longest sequence allows.
        case unbounded
        /// Nothing: the prompt is computed and that is all, as for an embedding.
        case none
    }

    /// A request for `output` after `prompt`.
    package init(
        prompt: [SimulatedToken],
        output: Output = .natural(limit: nil),
        adapter: String? = nil,
        variation: UInt64 = 0
    ) {
        self.prompt = prompt
        self.output = output
        self.adapter = adapter
        self.variation = variation
    }
}

/// Identity of an accepted request, unique within one engine.
package struct SimulatedRequestID: Sendable, Hashable, Comparable, CustomStringConvertible {
    let number: UInt64

    package static func < (left: SimulatedRequestID, right: SimulatedRequestID) -> Bool {
        left.number < right.number
    }

    package var description: String {
        "request \(number)"
    }
}

/// Why the engine did not accept a request. A rejected request leaves no trace but a counter.
package enum SimulatedRejection: Error, Hashable, CustomStringConvertible {
    /// The engine already holds `limit` requests.
    case queueFull(limit: Int)
    /// Prompt and output would be longer than the longest sequence. All values are tokens.
    case tooLong(promptTokens: Int, outputTokens: Int, limit: Int)
    /// There is nothing to compute.
    case emptyPrompt
    /// The request names an adapter and the engine has no slot for any.
    case adaptersDisabled(adapter: String)

    package var description: String {
        switch self {
        case .queueFull(let limit):
            "the engine already holds \(limit) requests, which is its limit"
        case .tooLong(let promptTokens, let outputTokens, let limit):
            """
            the prompt has \(promptTokens) tokens and \(outputTokens) output tokens are requested, \
            but a sequence is at most \(limit) tokens long
            """
        case .emptyPrompt:
            "the prompt has no token"
        case .adaptersDisabled(let adapter):
            "the request names adapter \"\(adapter)\", but the engine has no adapter slot"
        }
    }
}

/// Why a request ended by itself.
package enum SimulatedFinishReason: Sendable, Hashable {
    /// The engine had said all it had to say.
    case stop
    /// The output reached its limit.
    case length
}

/// What a request consumed.
package struct SimulatedUsage: Sendable, Hashable {
    /// Tokens of the prompt.
    package var promptTokens: Int
    /// Prompt tokens found in the prefix cache and not computed; whole blocks, less than `promptTokens`.
    package var cachedTokens: Int
    /// Tokens generated.
    package var outputTokens: Int

    /// A usage of its parts.
    package init(promptTokens: Int, cachedTokens: Int, outputTokens: Int) {
        self.promptTokens = promptTokens
        self.cachedTokens = cachedTokens
        self.outputTokens = outputTokens
    }
}

/// Something that happened to a request at a point of virtual time.
package struct EngineEvent: Sendable, Hashable {
    /// The request it happened to.
    package let id: SimulatedRequestID
    /// When it happened.
    package let time: SimulatedTime
    /// What happened.
    package let kind: Kind
    /// When the engine first computed something for the request; present with its end only.
    package var scheduledAt: SimulatedTime?

    /// What happened.
    package enum Kind: Sendable, Hashable {
        /// A token was generated. `index` counts from 0; `finishReason` is present on the last token only.
        case token(SimulatedToken, index: Int, finishReason: SimulatedFinishReason?)
        /// The request ended; nothing follows.
        case finished(SimulatedUsage, SimulatedFinishReason)
    }
}
