import NIOCore

/// Answers of `POST /v1/chat/completions`.
struct ChatFormat: AnswerFormat {
    private let envelope: AnswerEnvelope
    private let head: String
    private let tail: String
    private let afterContent: String
    private let beforeContent: String
    private var unfinished: Int

    init(_ envelope: AnswerEnvelope) {
        self.envelope = envelope
        self.unfinished = envelope.choiceCount
        let id = JSONText.quoted(envelope.id)
        let model = JSONText.quoted(envelope.model)
        // The parts that are equal in every event of the stream are put together once.
        switch envelope.engine {
        case .vllm, .triton:
            head = """
                data: {"id":\(id),"object":"chat.completion.chunk","created":\(envelope.created),"model":\(model),\
                "choices":[
                """
            tail = "}\n\n"
            beforeContent = #","delta":{"content":""#
            afterContent = #""},"logprobs":null,"finish_reason":null,"token_ids":null}]"#
        case .sglang:
            head = """
                data: {"id":\(id),"object":"chat.completion.chunk","created":\(envelope.created),"model":\(model),\
                "choices":[
                """
            tail = "}\n\n"
            beforeContent = #","delta":{"reasoning_content":null,"content":""#
            afterContent = #""},"logprobs":null,"finish_reason":null,"matched_stop":null}]"#
        case .llamacpp:
            head = #"data: {"choices":["#
            tail = """
                ,"created":\(envelope.created),"id":\(id),"model":\(model),"system_fingerprint":"b0-simulated",\
                "object":"chat.completion.chunk"}\n\n
                """
            beforeContent = #","delta":{"content":""#
            afterContent = #""}}]"#
        }
    }

    mutating func writeOpening(into buffer: inout ByteBuffer) {
        for choice in 0..<envelope.choiceCount {
            buffer.writeString(head)
            switch envelope.engine {
            case .vllm, .triton:
                buffer.writeString(
                    """
                    {"index":\(choice),"delta":{"role":"assistant","content":""},"logprobs":null,\
                    "finish_reason":null}],"prompt_token_ids":null,"prompt_text":null
                    """
                )
            case .sglang:
                buffer.writeString(
                    """
                    {"index":\(choice),"delta":{"reasoning_content":null,"role":"assistant","content":""},\
                    "logprobs":null,"finish_reason":null,"matched_stop":null}]
                    """
                )
            case .llamacpp:
                buffer.writeString(
                    #"{"finish_reason":null,"index":\#(choice),"delta":{"role":"assistant","content":null}}]"#
                )
            }
            buffer.writeString(tail)
        }
    }

    mutating func writeToken(
        _ token: SimulatedToken,
        choice: Int,
        finishReason: SimulatedFinishReason?,
        into buffer: inout ByteBuffer
    ) {
        // vLLM ends a choice with the event of its last token; the others add an event without content.
        let endsHere = envelope.engine == .vllm || envelope.engine == .triton
        buffer.writeString(head)
        buffer.writeString(envelope.engine == .llamacpp ? #"{"finish_reason":null,"index":"# : #"{"index":"#)
        buffer.writeString("\(choice)")
        buffer.writeString(beforeContent)
        buffer.writeToken(token)
        if let finishReason, endsHere {
            unfinished -= 1
            buffer.writeString(
                """
                "},"logprobs":null,"finish_reason":"\(finishReason.openAI)","stop_reason":null,"token_ids":null}]
                """
            )
            if unfinished == 0, !envelope.includeUsage {
                buffer.writeString("," + ReproducedVersion.fingerprint)
            }
        } else {
            buffer.writeString(afterContent)
        }
        buffer.writeString(tail)
        if let finishReason, !endsHere {
            writeEnd(of: choice, finishReason, into: &buffer)
        }
    }

    private func writeEnd(of choice: Int, _ reason: SimulatedFinishReason, into buffer: inout ByteBuffer) {
        buffer.writeString(head)
        if envelope.engine == .llamacpp {
            buffer.writeString(#"{"finish_reason":"\#(reason.openAI)","index":\#(choice),"delta":{}}]"#)
        } else {
            buffer.writeString(
                """
                {"index":\(choice),"delta":{"reasoning_content":null},"logprobs":null,\
                "finish_reason":"\(reason.openAI)","matched_stop":null}]
                """
            )
        }
        buffer.writeString(tail)
    }

    mutating func writeClosing(_ usage: SimulatedUsage, into buffer: inout ByteBuffer) {
        if envelope.includeUsage {
            buffer.writeString(head + "]")
            switch envelope.engine {
            case .vllm, .triton:
                buffer.writeString(",\"usage\":\(envelope.usage(usage)),\(ReproducedVersion.fingerprint)" + tail)
            case .sglang:
                buffer.writeString(",\"usage\":\(envelope.usage(usage))" + tail)
            case .llamacpp:
                buffer.writeString(String(tail.dropLast(3)) + ",\"usage\":\(envelope.usage(usage))}\n\n")
            }
        }
        buffer.writeString("data: [DONE]\n\n")
    }

    func writeWhole(_ choices: [AnswerChoice], _ usage: SimulatedUsage, into buffer: inout ByteBuffer) {
        let list = choices.enumerated().map { index, choice in
            """
            {"index":\(index),"message":{"role":"assistant","content":\(JSONText.quoted(choice.text)),"refusal":null,\
            "annotations":null,"audio":null,"function_call":null,"tool_calls":[],"reasoning":null},"logprobs":null,\
            "finish_reason":"\(choice.finishReason.openAI)","stop_reason":null,"token_ids":null}
            """
        }
        buffer.writeString(
            """
            {"id":\(JSONText.quoted(envelope.id)),"object":"chat.completion","created":\(envelope.created),\
            "model":\(JSONText.quoted(envelope.model)),"choices":[\(list.joined(separator: ","))],"service_tier":null,\
            \(ReproducedVersion.fingerprint),"usage":\(envelope.usage(usage)),"prompt_logprobs":null,\
            "prompt_token_ids":null,"kv_transfer_params":null,"ec_transfer_params":null,"metrics":null}
            """
        )
    }
}
