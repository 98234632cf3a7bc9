import ModelServerSimulator
import NIOCore
import NIOHTTP1
import Testing

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

@Suite("Simulated server: inference routes")
struct InferenceRouteTests {
    private static let chat =
        #"{"model":"martlet-sim","messages":[{"role":"user","content":"Say something."}],"max_tokens":6"#

    @Test("A chat in one piece and as a stream say the same")
    func chat() async throws {
        try await withServer { client, _ in
            let whole = try await client.post(
                "/v1/chat/completions", Self.chat + "}", headers: ["X-Request-Id": "abc-123"]
            )
            #expect(whole.status == 200)
            #expect(whole.headers["content-type"] == ["application/json"])
            let json = try whole.json
            #expect(json["id"].string == "chatcmpl-abc-123")
            #expect(json["object"].string == "chat.completion")
            #expect(json["model"].string == "martlet-sim")
            #expect(json["choices"][0]["finish_reason"].string == "length")
            #expect(json["usage"]["completion_tokens"].number == 6)
            let text = try #require(json["choices"][0]["message"]["content"].string)
            #expect(text.utf8.count == 24)

            let stream = try await client.post(
                "/v1/chat/completions", Self.chat + #","stream":true,"stream_options":{"include_usage":true}}"#,
                headers: ["X-Request-Id": "abc-123"]
            )
            #expect(stream.status == 200)
            #expect(stream.headers["content-type"] == ["text/event-stream; charset=utf-8"])
            #expect(stream.headers["transfer-encoding"] == ["chunked"])
            #expect(stream.events.last == "[DONE]")
            let chunks = try stream.events.dropLast().map { try JSONValue($0) }
            #expect(chunks.count == 8)
            #expect(chunks.allSatisfy { $0["id"].string == "chatcmpl-abc-123" })
            #expect(chunks.compactMap { $0["choices"][0]["delta"]["content"].string }.joined() == text)
            #expect(chunks[6]["choices"][0]["finish_reason"].string == "length")
            #expect(chunks[7]["usage"]["total_tokens"] == json["usage"]["total_tokens"])
        }
    }

    @Test("The events of a chat have the members of the engine's own, in their order")
    func chatShapes() async throws {
        // The beginning of each event and what follows it, recorded from vLLM 0.32.
        let start = #"{"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":["#
        let recorded = [
            #"{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"#
                + #""prompt_token_ids":null,"prompt_text":null}"#,
            #"{"index":0,"delta":{"content":"AD"},"logprobs":null,"finish_reason":null,"token_ids":null}]}"#,
            #"{"index":0,"delta":{"content":"**"},"logprobs":null,"finish_reason":"length","stop_reason":null,"#
                + #""token_ids":null}]}"#,
            #"],"usage":{"prompt_tokens":15,"total_tokens":21,"completion_tokens":6},"system_fingerprint":"v"}"#,
        ]
        let configuration = instantConfiguration { $0.promptTokensDetails = false }
        try await withServer(configuration) { client, _ in
            let stream = try await client.post(
                "/v1/chat/completions", Self.chat + #","stream":true,"stream_options":{"include_usage":true}}"#
            )
            let shapes = stream.events.dropLast().map(memberNames(of:))
            let expected = recorded.map { memberNames(of: start + $0) }
            #expect(shapes == [expected[0]] + Array(repeating: expected[1], count: 5) + [expected[2], expected[3]])
        }
    }

    @Test("Streams of the other engines are complete too", arguments: [EngineKind.sglang, .llamacpp, .triton])
    func otherEngines(_ engine: EngineKind) async throws {
        try await withServer(instantConfiguration { $0.engine = engine }) { client, _ in
            let stream = try await client.post(
                "/v1/chat/completions", Self.chat + #","stream":true,"stream_options":{"include_usage":true}}"#
            )
            let servers: [EngineKind: String] = [.sglang: "uvicorn", .llamacpp: "llama.cpp", .triton: "triton"]
            #expect(stream.headers.first(name: "server") == servers[engine])
            let chunks = try stream.events.dropLast().map { try JSONValue($0) }
            let text = chunks.compactMap { $0["choices"][0]["delta"]["content"].string }.joined()
            #expect(text.utf8.count == 24)
            #expect(chunks.compactMap { $0["choices"][0]["finish_reason"].string } == ["length"])
            #expect(chunks.last?["usage"]["completion_tokens"].number == 6)
            #expect(stream.events.last == "[DONE]")
            #expect(chunks[1]["choices"][0]["delta"]["reasoning_content"] == .null)
            #expect(stream.body.contains("matched_stop") == (engine == .sglang))
        }
    }

    @Test("The second turn of a conversation is found in the cache, and usage says so")
    func conversation() async throws {
        try await withServer { client, _ in
            let question = String(repeating: "Tell me a story. ", count: 40)
            func ask(_ messages: String) async throws -> JSONValue {
                try await client.post("/v1/chat/completions", #"{"messages":[\#(messages)],"max_tokens":40}"#).json
            }
            let first = try await ask(#"{"role":"user","content":"\#(question)"}"#)
            #expect(first["usage"]["prompt_tokens_details"]["cached_tokens"].number == 0)
            let answer = try #require(first["choices"][0]["message"]["content"].string)
            let second = try await ask(
                """
                {"role":"user","content":"\(question)"},{"role":"assistant","content":"\(answer)"},\
                {"role":"user","content":[{"type":"text","text":"Go on."}]}
                """
            )
            let before = try #require(first["usage"]["total_tokens"].number)
            let cached = try #require(second["usage"]["prompt_tokens_details"]["cached_tokens"].number)
            #expect(cached == Double(Int(before - 1) / 16 * 16))
            #expect(try await client.state("prefix_hit_tokens") == cached)
        }
    }

    @Test("Completions: prompts as text, list and tokens; choices; the default length")
    func completions() async throws {
        try await withServer { client, _ in
            let whole = try await client.post("/v1/completions", #"{"model":"martlet-sim","prompt":"Once upon"}"#).json
            #expect(whole["object"].string == "text_completion")
            #expect(whole["usage"]["prompt_tokens"].number == 3)
            #expect(whole["usage"]["completion_tokens"].number == 16)

            let many = try await client.post("/v1/completions", #"{"prompt":["a","b"],"n":2,"max_tokens":3}"#).json
            #expect(many["choices"].elements.compactMap { $0["index"].number } == [0, 1, 2, 3])
            #expect(Set(many["choices"].elements.compactMap { $0["text"].string }).count == 4)
            #expect(many["usage"]["prompt_tokens"].number == 2)
            #expect(many["usage"]["completion_tokens"].number == 12)

            let tokens = try await client.post("/v1/completions", #"{"prompt":[[1,2,3],[4]],"max_tokens":1}"#).json
            #expect(tokens["usage"]["prompt_tokens"].number == 4)

            let stream = try await client.post(
                "/v1/completions", #"{"prompt":[7,8,9],"max_tokens":4,"stream":true,"n":2}"#
            )
            let chunks = try stream.events.dropLast().map { try JSONValue($0) }
            #expect(chunks.count == 8)
            #expect(chunks.filter { $0["choices"][0]["finish_reason"].string == "length" }.count == 2)
            #expect(stream.body.components(separatedBy: "system_fingerprint").count == 2)
            #expect(
                memberNames(of: stream.events[0])
                    == [
                        "id", "object", "created", "model", "choices", "index", "text", "logprobs", "finish_reason",
                        "stop_reason", "prompt_token_ids", "token_ids",
                    ]
            )
            let unbounded = try await client.post(
                "/v1/completions", #"{"prompt":[1],"ignore_eos":true,"stream":false}"#
            ).json
            #expect(unbounded["usage"]["total_tokens"].number == 32_768)
        }
    }

    @Test("Messages: the events and usage of the Anthropic API")
    func messages() async throws {
        let body =
            #"{"model":"martlet-sim","max_tokens":3,"system":[{"type":"text","text":"Be brief."}],"#
            + #""messages":[{"role":"user","content":"Say something, and say it in many more words than these."}]"#
        try await withServer { client, _ in
            let count = try await client.post("/v1/messages/count_tokens", body + "}").json
            let whole = try await client.post("/v1/messages", body + "}").json
            #expect(whole["type"].string == "message")
            #expect(whole["usage"]["input_tokens"] == count["input_tokens"])
            #expect(whole["stop_reason"].string == "max_tokens")
            let stream = try await client.post("/v1/messages", body + #","stream":true}"#)
            #expect(
                stream.eventNames
                    == ["message_start", "content_block_start"] + Array(repeating: "content_block_delta", count: 3)
                    + ["content_block_stop", "message_delta", "message_stop"]
            )
            let events = try stream.events.map { try JSONValue($0) }
            #expect(events.compactMap { $0["type"].string } == stream.eventNames)
            #expect(events.compactMap { $0["delta"]["text"].string }.joined() == whole["content"][0]["text"].string)
            let usage = events[6]["usage"]
            let input = (usage["input_tokens"].number ?? 0) + (usage["cache_read_input_tokens"].number ?? 0)
            #expect(input == count["input_tokens"].number)
            #expect(usage["cache_read_input_tokens"].number == 16)
            let missing = try await client.post("/v1/messages", #"{"messages":[{"role":"user","content":"x"}]}"#)
            #expect(missing.status == 400)
            #expect(try missing.json["type"].string == "error")
        }
    }

    @Test("Responses: the events in order, numbered, with the whole text at the end")
    func responses() async throws {
        try await withServer { client, _ in
            let body = #"{"model":"martlet-sim","input":"Say something.","max_output_tokens":3"#
            let whole = try await client.post("/v1/responses", body + "}").json
            #expect(whole["status"].string == "incomplete")
            #expect(whole["incomplete_details"]["reason"].string == "max_output_tokens")
            let text = whole["output"][0]["content"][0]["text"].string
            let stream = try await client.post("/v1/responses", body + #","stream":true}"#)
            #expect(
                stream.eventNames
                    == [
                        "response.created", "response.in_progress", "response.output_item.added",
                        "response.content_part.added", "response.output_text.delta", "response.output_text.delta",
                        "response.output_text.delta", "response.output_text.done", "response.content_part.done",
                        "response.output_item.done", "response.completed",
                    ]
            )
            let events = try stream.events.map { try JSONValue($0) }
            #expect(events.compactMap { $0["sequence_number"].number } == (0..<11).map(Double.init))
            #expect(events.compactMap { $0["delta"].string }.joined() == text)
            #expect(events[10]["response"]["output"][0]["content"][0]["text"].string == text)
            let messages = try await client.post(
                "/v1/responses",
                #"{"input":[{"role":"user","content":[{"type":"input_text","text":"Say something."}]}]}"#
            ).json
            #expect(messages["usage"]["input_tokens"] == whole["usage"]["input_tokens"])
        }
    }

    @Test("Embeddings: equal vectors for equal inputs, as numbers and in base 64")
    func embeddings() async throws {
        try await withServer { client, _ in
            let plain = try await client.post(
                "/v1/embeddings", #"{"input":["one","two","one"],"dimensions":8}"#
            ).json
            let vectors = plain["data"].elements.map { $0["embedding"].elements.compactMap(\.number) }
            #expect(vectors.count == 3)
            #expect(vectors.allSatisfy { $0.count == 8 && abs($0.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5 })
            #expect(vectors[0] == vectors[2])
            #expect(vectors[0] != vectors[1])
            #expect(plain["usage"]["prompt_tokens"].number == 3)
            let coded = try await client.post(
                "/v1/embeddings", #"{"input":"one","dimensions":8,"encoding_format":"base64"}"#
            ).json
            let text = try #require(coded["data"][0]["embedding"].string)
            let bytes = try #require(Data(base64Encoded: text))
            let decoded = stride(from: 0, to: bytes.count, by: 4).map { offset in
                let bits = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[offset + $1]) << UInt32($1 * 8) }
                return Double(Float(bitPattern: bits))
            }
            #expect(zip(decoded, vectors[0]).allSatisfy { abs($0 - $1) < 1e-6 })
        }
    }
}
