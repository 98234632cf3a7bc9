package import NIOCore

/// What the backend answers, known to the load generator in advance so that every reply can be checked byte by byte.
package struct CannedReplies: Sendable {
    /// Events of a streamed reply, each sent as one chunk.
    package static let eventCount = 32

    /// A chat completion of about 600 bytes.
    package let completion: ByteBuffer
    /// The streamed reply, one buffer per chunk, in sending order.
    package let events: [ByteBuffer]
    /// `GET /v1/models`.
    package let models: ByteBuffer

    package init() {
        completion = ByteBuffer(string: Self.completionText)
        events = (0..<Self.eventCount).map { ByteBuffer(string: Self.event($0)) }
        models = ByteBuffer(
            string: """
                {"object":"list","data":[{"id":"bench-model","object":"model","created":1700000000,\
                "owned_by":"bench","root":"bench-model","parent":null,"max_model_len":131072}]}
                """
        )
    }

    /// The digest of the whole body of a reply to one request of `kind`.
    package func digest(for kind: WorkloadKind) -> BodyDigest {
        var digest = BodyDigest()
        for buffer in kind.streams ? events : [completion] {
            digest.update(buffer.readableBytesSpan)
        }
        return digest
    }

    private static let completionText = """
        {"id":"chatcmpl-bench-0123456789abcdef","object":"chat.completion","created":1700000000,"model":"bench-model",\
        "choices":[{"index":0,"message":{"role":"assistant","content":"A gateway that knows which server already \
        holds the prefix of a prompt saves that server the work of reading it again; everything else it does should \
        cost as little as possible.","refusal":null,"tool_calls":[]},"logprobs":null,"finish_reason":"stop",\
        "stop_reason":null}],"usage":{"prompt_tokens":256,"total_tokens":288,"completion_tokens":32,\
        "prompt_tokens_details":{"cached_tokens":128}},"system_fingerprint":"bench"}
        """

    private static func event(_ index: Int) -> String {
        let start = """
            data: {"id":"chatcmpl-bench-0123456789abcdef","object":"chat.completion.chunk","created":1700000000,\
            "model":"bench-model","choices":
            """
        switch index {
        case 0:
            return start + #"[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"# + "\n\n"
        case eventCount - 1:
            let usage = #"[],"usage":{"prompt_tokens":256,"total_tokens":288,"completion_tokens":32}}"#
            return start + usage + "\n\ndata: [DONE]\n\n"
        default:
            let reason = index == eventCount - 2 ? #""stop""# : "null"
            return start + #"[{"index":0,"delta":{"content":" token\#(index)"},"finish_reason":\#(reason)}]}"# + "\n\n"
        }
    }
}
