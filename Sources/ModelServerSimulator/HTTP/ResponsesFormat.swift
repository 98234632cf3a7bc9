import NIOCore

/// Answers of `POST /v1/responses`.
struct ResponsesFormat: AnswerFormat {
    private let envelope: AnswerEnvelope
    private let itemID: String
    private let maxOutputTokens: Int?
    private var sequenceNumber = 0
    private var text = ""
    private var finishReason = SimulatedFinishReason.stop

    init(_ envelope: AnswerEnvelope, itemID: String, maxOutputTokens: Int?) {
        self.envelope = envelope
        self.itemID = JSONText.quoted(itemID)
        self.maxOutputTokens = maxOutputTokens
    }

    mutating func writeOpening(into buffer: inout ByteBuffer) {
        let response = response(status: "in_progress", output: "[]", incomplete: "null", usage: "null")
        write("response.created", #""response":\#(response)"#, into: &buffer)
        write("response.in_progress", #""response":\#(response)"#, into: &buffer)
        write(
            "response.output_item.added",
            """
            "item":{"id":\(itemID),"content":[],"role":"assistant","status":"in_progress","type":"message",\
            "phase":null},"output_index":0
            """,
            into: &buffer
        )
        write(
            "response.content_part.added",
            """
            "content_index":0,"item_id":\(itemID),"output_index":0,\
            "part":{"annotations":[],"text":"","type":"output_text","logprobs":[]}
            """,
            into: &buffer
        )
    }

    mutating func writeToken(
        _ token: SimulatedToken,
        choice: Int,
        finishReason: SimulatedFinishReason?,
        into buffer: inout ByteBuffer
    ) {
        let piece = token.text
        text += piece
        if let finishReason {
            self.finishReason = finishReason
        }
        write(
            "response.output_text.delta",
            #""content_index":0,"delta":"\#(piece)","item_id":\#(itemID),"logprobs":[],"output_index":0"#,
            into: &buffer
        )
    }

    mutating func writeClosing(_ usage: SimulatedUsage, into buffer: inout ByteBuffer) {
        let quoted = JSONText.quoted(text)
        let part = #"{"annotations":[],"text":\#(quoted),"type":"output_text","logprobs":null}"#
        let place = #""content_index":0,"item_id":\#(itemID)"#
        write(
            "response.output_text.done", #"\#(place),"logprobs":[],"output_index":0"#, after: #","text":\#(quoted)"#,
            into: &buffer
        )
        write("response.content_part.done", #"\#(place),"output_index":0,"part":\#(part)"#, into: &buffer)
        let item = item(part: part)
        write("response.output_item.done", #""item":\#(item),"output_index":0"#, into: &buffer)
        let whole = whole(output: "[\(item)]", finishReason, usage)
        write("response.completed", #""response":\#(whole)"#, into: &buffer)
    }

    func writeWhole(_ choices: [AnswerChoice], _ usage: SimulatedUsage, into buffer: inout ByteBuffer) {
        let choice = choices.first ?? AnswerChoice()
        let quoted = JSONText.quoted(choice.text)
        let part = #"{"annotations":[],"text":\#(quoted),"type":"output_text","logprobs":null}"#
        buffer.writeString(whole(output: "[\(item(part: part))]", choice.finishReason, usage))
    }

    private mutating func write(
        _ event: String,
        _ members: String,
        after: String = "",
        into buffer: inout ByteBuffer
    ) {
        buffer.writeString("event: \(event)\ndata: {\(members),\"sequence_number\":\(sequenceNumber)\(after)")
        buffer.writeString(",\"type\":\"\(event)\"}\n\n")
        sequenceNumber += 1
    }

    private func item(part: String) -> String {
        """
        {"id":\(itemID),"content":[\(part)],"role":"assistant","status":"completed","type":"message","phase":null}
        """
    }

    private func whole(output: String, _ reason: SimulatedFinishReason, _ usage: SimulatedUsage) -> String {
        response(
            status: reason == .length ? "incomplete" : "completed",
            output: output,
            incomplete: reason == .length ? #"{"reason":"max_output_tokens"}"# : "null",
            usage: """
                {"input_tokens":\(usage.promptTokens),"input_tokens_details":{"cached_tokens":\(usage.cachedTokens),\
                "cache_write_tokens":0,"input_tokens_per_turn":[],"cached_tokens_per_turn":[]},\
                "output_tokens":\(usage.outputTokens),"output_tokens_details":{"reasoning_tokens":0,\
                "tool_output_tokens":0,"output_tokens_per_turn":[],"tool_output_tokens_per_turn":[]},\
                "total_tokens":\(usage.promptTokens + usage.outputTokens)}
                """
        )
    }

    private func response(status: String, output: String, incomplete: String, usage: String) -> String {
        let limit = maxOutputTokens.map { "\($0)" } ?? "null"
        return """
            {"id":\(JSONText.quoted(envelope.id)),"created_at":\(envelope.created),"incomplete_details":\(incomplete),\
            "instructions":null,"metadata":null,"model":\(JSONText.quoted(envelope.model)),"object":"response",\
            "output":\(output),"parallel_tool_calls":true,"temperature":1.0,"tool_choice":"none","tools":[],\
            "top_p":1.0,"background":false,"max_output_tokens":\(limit),"max_tool_calls":null,\
            "previous_response_id":null,"prompt":null,"reasoning":null,"service_tier":"auto",\
            "status":"\(status)","text":null,"top_logprobs":null,"truncation":"disabled","usage":\(usage),\
            "user":null,"presence_penalty":0.0,"frequency_penalty":0.0,"kv_transfer_params":null,\
            "ec_transfer_params":null,"input_messages":null,"output_messages":null}
            """
    }
}
