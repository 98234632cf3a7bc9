import Testing

@testable import RequestFormats

@Suite struct MediaBlockTests {
    private func media(_ text: String, as api: InferenceAPI = .chatCompletions, limit: Int = 100) throws -> [String] {
        let bytes = Array(text.utf8)
        let prompt = try parse(text, as: api).prompt
        return MediaBlock.blocks(in: bytes.span.bytes, messages: try #require(prompt.last), limit: limit).map { block in
            block.withContent(in: bytes.span.bytes) { content in
                "\(block.kind) " + content.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
            }
        }
    }

    private func chat(_ content: String) -> String {
        #"{"model":"m","tools":[{"image_url":{"url":"t"}}],"messages":[{"role":"user","content":\#(content)}]}"#
    }

    @Test(arguments: [
        (#"[{"type":"image_url","image_url":{"url":"http://a"}}]"#, ["image http://a"]),
        (#"[{"image_url":{"detail":"low","url":"a"},"type":"image_url"}]"#, ["image a"]),
        (#"[{"type":"image_url","image_url":"a"}]"#, ["image a"]),
        (#"[{"type":"input_image","image_url":"a"}]"#, ["image a"]),
        (
            #"[{"type":"video_url","video_url":{"url":"v"}},{"type":"audio_url","audio_url":{"url":"s"}}]"#,
            ["video v", "audio s"]
        ),
        (#"[{"type":"input_audio","input_audio":{"data":"d","format":"wav"}}]"#, ["audio d"]),
        (#"[{"type":"text","text":"image_url"},{"type":"image_url","image_url":{"url":"a"}}]"#, ["image a"]),
        (#"[{"typ\u0065":"image_ur\u006c","image_url":{"url":"http:\/\/a"}}]"#, ["image http://a"]),
        (#"[{"type":"image_url"},{"type":"image_url","image_url":{"url":""}},{"type":"image_url","image_url":3}]"#, []),
        (#"[{"type":"text","image_url":{"url":"a"}},{"image_url":{"url":"a"}}]"#, []),
        (#""[{\"type\":\"image_url\",\"image_url\":{\"url\":\"a\"}}]""#, []),
        ("null", []),
    ])
    func `finds the media of OpenAI messages`(content: String, expected: [String]) throws {
        #expect(try media(chat(content)) == expected)
    }

    @Test func `finds the media of Anthropic messages`() throws {
        let text = #"""
            {"model":"c","max_tokens":9,"system":[{"type":"text","text":"s"}],"messages":[
             {"role":"user","content":[
              {"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},
              {"type":"image","source":{"type":"url","url":"http://a"}},
              {"type":"tool_result","tool_use_id":"1","content":[{"type":"image","source":{"data":"BBBB"}}]},
              {"type":"tool_result","tool_use_id":"2","content":"x"},
              {"type":"document","source":{"type":"base64","data":"CCCC"}}]},
             {"role":"user","content":[{"type":"image","source":{"type":"file","file_id":"f"}}]}]}
            """#
        #expect(try media(text, as: .messages) == ["image AAAA", "image http://a", "image BBBB"])
    }

    @Test func `finds the media of responses`() throws {
        let item = #"{"role":"user","content":[{"type":"input_image","image_url":"a"}]}"#
        #expect(try media(#"{"model":"m","input":[\#(item)]}"#, as: .responses) == ["image a"])
    }

    @Test func `media are in the order of the body, and no more than wanted`() throws {
        let image = #"{"type":"image_url","image_url":{"url":"i"}}"#
        let nested =
            #"{"type":"image","source":{"data":"first"},"content":[{"type":"image","source":{"data":"second"}}]}"#
        #expect(try media(chat("[\(nested)]")) == ["image first", "image second"])
        let many = chat("[" + Array(repeating: image, count: 9).joined(separator: ",") + "]")
        #expect(try media(many, limit: 4).count == 4)
        #expect(try media(many, limit: 0).isEmpty)
    }

    @Test func `a prompt without messages has no media`() throws {
        let texts: [(String, InferenceAPI)] = [
            (#"{"model":"m","prompt":"[{\"content\":[]}]"}"#, .completions),
            (#"{"model":"m","prompt":["a","b"]}"#, .completions),
            (#"{"model":"m","prompt":[1,2,3]}"#, .completions),
            (#"{"model":"m","input":"x"}"#, .responses),
        ]
        for (text, api) in texts { #expect(try media(text, as: api).isEmpty, "\(text)") }
        let bytes: [UInt8] = []
        for range in [0..<0, 0..<9, -4..<2] {
            #expect(MediaBlock.blocks(in: bytes.span.bytes, messages: range, limit: 9).isEmpty)
        }
    }

    @Test func `no mutation of a body traps`() throws {
        var random = SeededGenerator(seed: 5)
        let text = chat(
            #"[{"type":"image_url","image_url":{"url":"data:image\/png;base64,iVBORw0KGgo="}},"#
                + #"{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}},"#
                + #"{"type":"image","source":{"data":"BBBB"},"content":[{"type":"image","source":{"url":"u"}}]}]"#
        )
        let messages = try #require(try parse(text).prompt.last).lowerBound
        var found = 0
        for _ in 0..<20_000 {
            let bytes = random.mutated(Array(text.utf8))
            let start = Int.random(in: 0...bytes.count, using: &random)
            let first = min(messages, bytes.count)
            for range in [first..<bytes.count, first..<max(first, start), start..<bytes.count, first..<bytes.count + 1]
            {
                let blocks = MediaBlock.blocks(in: bytes.span.bytes, messages: range, limit: 100)
                for block in blocks {
                    found += 1
                    let length = block.withContent(in: bytes.span.bytes) { $0.byteCount }
                    if length > block.content.contentRange.count { Issue.record("\(bytes)") }
                    if block.content.range.upperBound > bytes.count { Issue.record("\(bytes)") }
                }
            }
        }
        #expect(found > 1000)
    }
}
