import NIOCore
import Testing

@testable import LoadGenerator

struct AnswerReaderTests {
    private static let stream = """
        data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}

        data: {"choices":[{"index":0,"delta":{"content":"he \\"content\\":\\"x\\" said"}}]}

        data: {"choices":[{"index":0,"delta":{"content": "two"}}]}

        : a comment

        data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

        data: {"choices":[],"usage":{"prompt_tokens":9,"total_tokens":14,"completion_tokens":5,\
        "prompt_tokens_details":{"cached_tokens":4}}}

        data: [DONE]


        """

    private func read(
        _ text: String,
        pieceLength: Int,
        api: Workload.API = .chat,
        isEventStream: Bool = true
    ) -> (RequestRecord, AnswerReader) {
        var record = RequestRecord(scheduled: 0)
        var reader = AnswerReader(api: api, isEventStream: isEventStream, keepsContent: true)
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: pieceLength) {
            let end = min(start + pieceLength, bytes.count)
            // Each byte comes a nanosecond after the one before.
            reader.consume(ByteBuffer(bytes: bytes[start..<end]), at: Int64(end), into: &record)
        }
        reader.finish(into: &record)
        return (record, reader)
    }

    @Test(arguments: [1, 2, 7, 64, 100_000])
    func textCountsWhenItsLineIsWhole(pieceLength: Int) throws {
        let (record, reader) = read(Self.stream, pieceLength: pieceLength)
        #expect(record.textEvents == 2)
        #expect(record.usage == TokenUsage(prompt: 9, output: 5, cached: 4))
        #expect(String(decoding: reader.content, as: UTF8.self) == #"he \"content\":\"x\" saidtwo"#)
        #expect(!reader.hasError)
        let lines = Self.stream.split(separator: "\n", omittingEmptySubsequences: false)
        let first = lines[...2].reduce(0) { $0 + $1.utf8.count + 1 }
        let second = lines[...4].reduce(0) { $0 + $1.utf8.count + 1 }
        func arrival(_ offset: Int) -> Int64 {
            Int64(min((offset + pieceLength - 1) / pieceLength * pieceLength, Self.stream.utf8.count))
        }
        #expect(record.firstToken == arrival(first), "the role without text is not the first token")
        #expect(record.lastToken == arrival(second))
        #expect(record.gaps == [arrival(second) - arrival(first)])
    }

    /// What a server tells is summed up, so it must not be more than sums have room for.
    @Test(arguments: [true, false])
    func noCountIsTooLarge(isEventStream: Bool) {
        let most = Int.max
        let usage =
            #""usage":{"prompt_tokens":\#(most),"completion_tokens":\#(most),"# + #""total_tokens":\#(most)}}"#
        let text = isEventStream ? "data: {\"choices\":[{\"text\":\"a\"}],\(usage)\n\n" : "{\(usage)"
        let (record, _) = read(text, pieceLength: 1_000, isEventStream: isEventStream)
        #expect(record.usage?.output ?? 0 > 0)
        var measure = RunMeasure(origin: 0)
        for _ in 0..<3 { measure.record(record, objectives: nil) }
        #expect(measure.outputTokens == 3 * record.outputTokens)
        #expect(measure.timeline.bins.map(\.outputTokens).reduce(0, +) == measure.outputTokens)
    }

    @Test func everyKindOfTextIsFound() {
        for event in [
            #"{"choices":[{"text":"a","index":0}]}"#,
            #"{"choices":[{"delta":{"reasoning_content":"a","content":null}}]}"#,
            #"{"choices":[{"delta":{"reasoning":"a"}}]}"#,
            #"{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"a"}}]}}]}"#,
        ] {
            let (record, _) = read("data: \(event)\n\n", pieceLength: 1_000)
            #expect(record.textEvents == 1, "\(event)")
        }
        for event in [
            #"{"choices":[{"delta":{"content":""}}]}"#, #"{"choices":[{"delta":{"content":null}}]}"#,
            #"{"choices":[{"delta":{"role":"assistant"},"logprobs":{"content":[]}}]}"#, "{}", #"{"content":"cut"#,
        ] {
            let (record, _) = read("data: \(event)\n\n", pieceLength: 1_000)
            #expect(record.textEvents == 0, "\(event)")
        }
    }

    @Test func anErrorInAStreamIsSeen() {
        let (_, reader) = read(#"data: {"error":{"message":"out of memory"}}"# + "\n\n", pieceLength: 9)
        #expect(reader.hasError)
    }

    @Test func anAnswerInOnePieceHasUsageAndText() {
        let body = #"""
            {"choices":[{"message":{"role":"assistant","content":"all"}}],\#
            "usage":{"prompt_tokens":3,"completion_tokens":2}}
            """#
        let (record, reader) = read(body, pieceLength: 10, isEventStream: false)
        #expect(record.usage == TokenUsage(prompt: 3, output: 2, cached: 0))
        #expect(reader.content == Array("all".utf8))
        #expect(record.firstToken == nil)
    }
}
