import NIOCore

/// Answers of `POST /v1/messages`, the Anthropic API.
struct MessagesFormat: AnswerFormat {
    private let envelope: AnswerEnvelope
    private var finishReason = SimulatedFinishReason.stop

    init(_ envelope: AnswerEnvelope) {
        self.envelope = envelope
    }

    mutating func writeOpening(into buffer: inout ByteBuffer) {
        buffer.writeString(
            """
            event: message_start
            data: {"type":"message_start","message":{"id":\(JSONText.quoted(envelope.id)),"type":"message",\
            "role":"assistant","content":[],"model":\(JSONText.quoted(envelope.model)),"stop_reason":null,\
            "stop_sequence":null,"usage":{"input_tokens":\(envelope.promptTokens),"output_tokens":0}}}

            event: content_block_start
            data: {"type":"content_block_start","content_block":{"type":"text","text":""},"index":0}


            """
        )
    }

    mutating func writeToken(
        _ token: SimulatedToken,
        choice: Int,
        finishReason: SimulatedFinishReason?,
        into buffer: inout ByteBuffer
    ) {
        buffer.writeString(
            """
            event: content_block_delta
            data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"
            """
        )
        buffer.writeToken(token)
        buffer.writeString("\"},\"index\":0}\n\n")
        if let finishReason {
            self.finishReason = finishReason
        }
    }

    mutating func writeClosing(_ usage: SimulatedUsage, into buffer: inout ByteBuffer) {
        buffer.writeString(
            """
            event: content_block_stop
            data: {"type":"content_block_stop","index":0}

            event: message_delta
            data: {"type":"message_delta","delta":{"stop_reason":"\(finishReason.anthropic)","stop_sequence":null},\
            "usage":\(Self.usage(usage))}

            event: message_stop
            data: {"type":"message_stop"}


            """
        )
    }

    func writeWhole(_ choices: [AnswerChoice], _ usage: SimulatedUsage, into buffer: inout ByteBuffer) {
        let choice = choices.first ?? AnswerChoice()
        buffer.writeString(
            """
            {"id":\(JSONText.quoted(envelope.id)),"type":"message","role":"assistant",\
            "content":[{"type":"text","text":\(JSONText.quoted(choice.text))}],\
            "model":\(JSONText.quoted(envelope.model)),"stop_reason":"\(choice.finishReason.anthropic)",\
            "stop_sequence":null,"usage":\(Self.usage(usage))}
            """
        )
    }

    /// Tokens from the cache are not input tokens in this API; they are counted beside them.
    private static func usage(_ usage: SimulatedUsage) -> String {
        """
        {"input_tokens":\(usage.promptTokens - usage.cachedTokens),"output_tokens":\(usage.outputTokens),\
        "cache_creation_input_tokens":0,"cache_read_input_tokens":\(usage.cachedTokens)}
        """
    }
}
