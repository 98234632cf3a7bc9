/// The request formats that the gateway can tell apart. What a format requires of a body stands in ``BodyRules``.
package enum InferenceAPI: String, Hashable, Sendable, CaseIterable {
    /// OpenAI chat completions.
    case chatCompletions
    /// vLLM's rendering of a chat into token ids; the body is that of ``chatCompletions``.
    case chatCompletionsRender
    /// OpenAI text completions.
    case completions
    /// vLLM's rendering of a text prompt into token ids; the body is that of ``completions``.
    case completionsRender
    /// OpenAI embeddings.
    case embeddings
    /// OpenAI responses.
    case responses
    /// OpenAI conversations.
    case conversations
    /// OpenAI image generation.
    case images
    /// Anthropic messages.
    case messages
    /// Anthropic's count of a message's tokens.
    case messagesCountTokens
    /// vLLM's generation from token ids.
    case vllmGenerate
    /// SGLang's generation from token ids.
    case sglangGenerate
    /// OpenAI transcription and translation of recordings: a form, whose fields are read and whose recording is not.
    case audio
    /// vLLM's generation over gRPC.
    case vllmGRPCGenerate
    /// vLLM's embeddings over gRPC.
    case vllmGRPCEmbed
    /// Vertex AI's chat completions over gRPC: a message with the JSON of ``chatCompletions``.
    case vertexChatCompletions
    /// Vertex AI's raw predictions over gRPC, in one message or as a stream: a message with the JSON of ``responses``.
    case vertexRawPredict
    /// A format that a plugin reads.
    case foreign
    /// A body that is forwarded unread.
    case passthrough

    /// Whether the body's `model` names what serves the request, so that a rewrite of the model may replace it.
    package var hasRewritableModel: Bool {
        switch self {
        case .passthrough, .sglangGenerate, .audio: false
        case .vllmGRPCGenerate, .vllmGRPCEmbed, .vertexChatCompletions, .vertexRawPredict: false
        default: true
        }
    }

    /// Whether a response can tell token usage; a response of the others needs no reading.
    package var reportsUsage: Bool {
        switch self {
        case .chatCompletionsRender, .completionsRender, .conversations, .messagesCountTokens, .foreign: false
        default: true
        }
    }
}
