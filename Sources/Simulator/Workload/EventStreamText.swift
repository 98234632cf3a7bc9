import ModelServerSimulator

/// The event stream of one chat completion, in the shape of vLLM's.
struct EventStreamText {
    private let head: String

    init(number: Int) {
        head = """
            data: {"id":"chatcmpl-\(number)","object":"chat.completion.chunk","created":0,\
            "model":"\(RequestMaker.model)","choices":[
            """
    }

    /// The event of one token; the first token's comes with the event that opens the stream.
    func token(_ token: SimulatedToken, isFirst: Bool) -> [UInt8] {
        let opening = isFirst ? head + #"{"index":0,"delta":{"role":"assistant","content":""}}]}"# + "\n\n" : ""
        return Array("\(opening)\(head){\"index\":0,\"delta\":{\"content\":\"\(token.text)\"}}]}\n\n".utf8)
    }

    /// The last two events: the usage, and the mark of the end.
    func closing(_ usage: SimulatedUsage) -> [UInt8] {
        let total = usage.promptTokens + usage.outputTokens
        let text = """
            \(head)],"usage":{"prompt_tokens":\(usage.promptTokens),"total_tokens":\(total),\
            "completion_tokens":\(usage.outputTokens),"prompt_tokens_details":{"cached_tokens":\(usage.cachedTokens)}}}

            data: [DONE]


            """
        return Array(text.utf8)
    }
}
