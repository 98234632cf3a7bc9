import NIOCore

/// How the answer to a request is written, for one API of one engine.
///
/// The calls for a streamed answer come in this order: `writeOpening`, `writeToken` for each token, `writeClosing`. The
/// one for an answer in one piece is `writeWhole`. What is written is complete server-sent events, or a complete body.
protocol AnswerFormat {
    /// Writes what comes before the first token, at the moment there is one.
    mutating func writeOpening(into buffer: inout ByteBuffer)

    /// Writes one token of one choice. `finishReason` is present on a choice's last token only.
    mutating func writeToken(
        _ token: SimulatedToken,
        choice: Int,
        finishReason: SimulatedFinishReason?,
        into buffer: inout ByteBuffer
    )

    /// Writes what comes after the last token.
    mutating func writeClosing(_ usage: SimulatedUsage, into buffer: inout ByteBuffer)

    /// Writes the body of an answer in one piece.
    func writeWhole(_ choices: [AnswerChoice], _ usage: SimulatedUsage, into buffer: inout ByteBuffer)
}

/// A finished choice of an answer in one piece.
struct AnswerChoice {
    var text = ""
    var finishReason = SimulatedFinishReason.stop
}

/// What the formats say alike about an answer.
struct AnswerEnvelope {
    var engine: EngineKind
    /// The answer's identity, prefix and all.
    var id: String
    /// Seconds since 1970.
    var created: Int
    /// The model's name as the client gave it.
    var model: String
    var promptTokens: Int
    var choiceCount = 1
    /// Whether a stream ends with its usage.
    var includeUsage = false
    /// Whether usage tells the cached tokens.
    var promptTokensDetails = true

    /// `prefix` and sixteen hexadecimal digits, or the client's own identity for the request.
    static func identity(_ prefix: String, requestID: String?, random: inout SeededRandom) -> String {
        if let requestID {
            return prefix + requestID
        }
        let digits = String(random.next(), radix: 16)
        return prefix + String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// `usage` in the order vLLM has.
    func usage(_ usage: SimulatedUsage) -> String {
        let total = usage.promptTokens + usage.outputTokens
        var text = "{\"prompt_tokens\":\(usage.promptTokens),\"total_tokens\":\(total)"
        text += ",\"completion_tokens\":\(usage.outputTokens)"
        if promptTokensDetails {
            text += ",\"prompt_tokens_details\":{\"cached_tokens\":\(usage.cachedTokens)}"
        }
        return text + "}"
    }
}

extension SimulatedFinishReason {
    /// The word of the OpenAI APIs.
    var openAI: String {
        switch self {
        case .stop: "stop"
        case .length: "length"
        }
    }

    /// The word of the Anthropic API.
    var anthropic: String {
        switch self {
        case .stop: "end_turn"
        case .length: "max_tokens"
        }
    }
}

/// The version of vLLM the simulator resembles.
enum ReproducedVersion {
    static let vllm = "0.32.0"
    static let fingerprint = "\"system_fingerprint\":\"vllm-0.32.0-simulated\""
}
