import Testing

@testable import RequestFormats

/// What a reader finds in `text` when it comes in pieces of `chunkSize` bytes.
private func read(_ text: String, _ api: InferenceAPI, stream: Bool, chunkSize: Int = .max) -> UsageReader {
    let bytes = Array(text.utf8)
    var reader = UsageReader(api: api, isEventStream: stream)
    var start = 0
    while start < bytes.count {
        let end = start + min(chunkSize, bytes.count - start)
        reader.consume(bytes.span.bytes.extracting(start..<end))
        start = end
    }
    reader.finish()
    return reader
}

@Suite struct UsageReaderTests {
    @Test(
        arguments: [
            (RecordedResponses.vllmChat, .chatCompletions, 4, ResponseUsage(promptTokens: 15, completionTokens: 6)),
            (
                RecordedResponses.sglangChat, .chatCompletions, 2,
                ResponseUsage(promptTokens: 14, completionTokens: 4, cachedTokens: 3)
            ),
            (
                RecordedResponses.vllmAnthropic, .messages, 4,
                ResponseUsage(promptTokens: 14, completionTokens: 4, cachedTokens: 2)
            ),
            (
                RecordedResponses.vllmResponses, .responses, 3,
                ResponseUsage(promptTokens: 14, completionTokens: 4, cachedTokens: 5)
            ),
            (RecordedResponses.llamacppChat, .chatCompletions, 2, ResponseUsage(promptTokens: 14, completionTokens: 4)),
            (
                RecordedResponses.sglangGenerate, .sglangGenerate, 2,
                ResponseUsage(promptTokens: 9, completionTokens: 2, cachedTokens: 4)
            ),
        ] as [(String, InferenceAPI, Int, ResponseUsage)]
    )
    func `recorded streams give usage and events, however they are cut`(
        text: String,
        api: InferenceAPI,
        events: Int,
        usage: ResponseUsage
    ) {
        for chunkSize in [1, 2, 3, 5, 16, 17, 100, 333, 1_000, .max] {
            let reader = read(text, api, stream: true, chunkSize: chunkSize)
            #expect(reader.usage == usage, "chunks of \(chunkSize)")
            #expect(reader.eventCount == events, "chunks of \(chunkSize)")
            #expect(reader.isDone == text.contains("[DONE]"))
        }
    }

    @Test func `usage is known as soon as its event has come`() {
        var reader = UsageReader(api: .chatCompletions, isEventStream: true)
        let text = RecordedResponses.vllmChat
        let bytes = Array(text[..<text.start(of: "\n\ndata: [DONE]")].utf8)
        reader.consume(bytes.span.bytes)
        #expect(reader.usage == nil)
        let end: [UInt8] = [10]
        reader.consume(end.span.bytes)
        #expect(reader.usage?.completionTokens == 6)
    }

    @Test(arguments: [1, 10, 4_096, Int.max])
    func `whole bodies give usage, however they are cut`(chunkSize: Int) {
        let completion = read(RecordedResponses.vllmCompletion, .completions, stream: false, chunkSize: chunkSize)
        #expect(completion.usage == ResponseUsage(promptTokens: 2, completionTokens: 8))
        #expect(completion.eventCount == 0)
        let long =
            #"{"choices":[{"message":{"content":""# + String(repeating: "word ", count: 20_000)
            + #""}}],"usage":{"prompt_tokens":"3","completion_tokens":20000.0,"#
            + #""prompt_tokens_details":{"cached_tokens":"1"}}}"#
        let usage = read(long, .chatCompletions, stream: false, chunkSize: chunkSize).usage
        #expect(usage == ResponseUsage(promptTokens: 3, completionTokens: 20_000, cachedTokens: 1))
        let anthropic =
            #"{"type":"message","usage": {"input_tokens": 5, "output_tokens": 6, "cache_read_input_tokens": 7}}"#
        #expect(
            read(anthropic, .messages, stream: false, chunkSize: chunkSize).usage
                == ResponseUsage(promptTokens: 5, completionTokens: 6, cachedTokens: 7)
        )
        let sglang =
            #"{"meta_info":{"finish_reason":null,"prompt_tokens":1,"completion_tokens":2,"cached_tokens":0}}"#
        #expect(
            read(sglang, .sglangGenerate, stream: false, chunkSize: chunkSize).usage
                == ResponseUsage(promptTokens: 1, completionTokens: 2)
        )
    }

    @Test(arguments: [
        #"{"content":"\"usage\":{\"prompt_tokens\":9}"}"#, #"{"content":"say \"usage":{"prompt_tokens":9}}"#,
        #"{"content":"usage","x":{"prompt_tokens":9}}"#, #"{"usage":null}"#, #"{"usage":7}"#,
        #"{"usage":{"prompt_tokens":9"#,
        #"{"usage""#, #"{"usage":"#, "", #"{"meta_info":{"prompt_tokens":9}}"#,
    ])
    func `text that only looks like usage is not taken`(body: String) {
        #expect(read(body, .chatCompletions, stream: false).usage == nil)
        #expect(read("data: " + body + "\n\n", .chatCompletions, stream: true).usage == nil)
    }

    @Test func `the counts of several events are merged`() {
        let text = """
            data: {"usage":{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":4}}}
            data: {"usage":null}
            data: {"usage":{"prompt_tokens":5,"completion_tokens":2,"prompt_tokens_details":null}}
            data: {"usage":{"prompt_tokens":-5,"completion_tokens":1.5}}

            """
        let reader = read(text, .completions, stream: true)
        #expect(reader.usage == ResponseUsage(promptTokens: 5, completionTokens: 2, cachedTokens: 4))
        #expect(reader.eventCount == 4)
    }

    @Test func `a very long event that is split keeps its usage`() {
        let text =
            #"data: {"response":{"output":[{"text":""# + String(repeating: "é \\\"usage\\\" ", count: 9_000)
            + #""}],"usage":{"input_tokens":8,"output_tokens":9}},"type":"response.completed"}"# + "\n\n"
        for chunkSize in [1_460, 16_384, .max] {
            let reader = read(text, .responses, stream: true, chunkSize: chunkSize)
            #expect(reader.usage == ResponseUsage(promptTokens: 8, completionTokens: 9))
            #expect(reader.eventCount == 1)
        }
    }

    @Test(arguments: InferenceAPI.allCases.filter { !$0.reportsUsage })
    func `APIs without usage are only counted`(api: InferenceAPI) {
        #expect(read(RecordedResponses.vllmCompletion, api, stream: false).usage == nil)
        let reader = read(RecordedResponses.vllmChat, api, stream: true)
        #expect(reader.usage == nil)
        #expect(reader.eventCount == 4)
    }
}

extension String {
    /// The index at which `part` starts; the end of this text when it does not occur.
    fileprivate func start(of part: String) -> Index {
        indices.first { self[$0...].hasPrefix(part) } ?? endIndex
    }
}
