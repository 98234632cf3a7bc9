import NIOCore

/// Answers of `POST /v1/completions`.
struct CompletionFormat: AnswerFormat {
    private let envelope: AnswerEnvelope
    private let head: String
    private var unfinished: Int

    init(_ envelope: AnswerEnvelope) {
        self.envelope = envelope
        self.unfinished = envelope.choiceCount
        head = """
            data: {"id":\(JSONText.quoted(envelope.id)),"object":"text_completion","created":\(envelope.created),\
            "model":\(JSONText.quoted(envelope.model)),"choices":[
            """
    }

    mutating func writeOpening(into buffer: inout ByteBuffer) {}

    mutating func writeToken(
        _ token: SimulatedToken,
        choice: Int,
        finishReason: SimulatedFinishReason?,
        into buffer: inout ByteBuffer
    ) {
        buffer.writeString(head)
        buffer.writeString(#"{"index":\#(choice),"text":""#)
        buffer.writeToken(token)
        guard let finishReason else {
            buffer.writeString(
                """
                ","logprobs":null,"finish_reason":null,"stop_reason":null,"prompt_token_ids":null,\
                "token_ids":null}]}\n\n
                """
            )
            return
        }
        unfinished -= 1
        buffer.writeString(
            """
            ","logprobs":null,"finish_reason":"\(finishReason.openAI)","stop_reason":null,"prompt_token_ids":null,\
            "token_ids":null}]
            """
        )
        if unfinished == 0, !envelope.includeUsage {
            buffer.writeString("," + ReproducedVersion.fingerprint)
        }
        buffer.writeString("}\n\n")
    }

    mutating func writeClosing(_ usage: SimulatedUsage, into buffer: inout ByteBuffer) {
        if envelope.includeUsage {
            buffer.writeString("\(head)],\"usage\":\(envelope.usage(usage)),\(ReproducedVersion.fingerprint)}\n\n")
        }
        buffer.writeString("data: [DONE]\n\n")
    }

    func writeWhole(_ choices: [AnswerChoice], _ usage: SimulatedUsage, into buffer: inout ByteBuffer) {
        let list = choices.enumerated().map { index, choice in
            """
            {"index":\(index),"text":\(JSONText.quoted(choice.text)),"logprobs":null,\
            "finish_reason":"\(choice.finishReason.openAI)","stop_reason":null,"token_ids":null,\
            "prompt_logprobs":null,"prompt_token_ids":null,"routed_experts":null}
            """
        }
        buffer.writeString(
            """
            {"id":\(JSONText.quoted(envelope.id)),"object":"text_completion","created":\(envelope.created),\
            "model":\(JSONText.quoted(envelope.model)),"choices":[\(list.joined(separator: ","))],"service_tier":null,\
            \(ReproducedVersion.fingerprint),"usage":\(envelope.usage(usage)),"kv_transfer_params":null,\
            "ec_transfer_params":null,"metrics":null}
            """
        )
    }
}
