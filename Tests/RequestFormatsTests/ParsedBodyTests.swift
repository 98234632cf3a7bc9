import Testing

@testable import RequestFormats

@Suite struct ParsedBodyTests {
    @Test func `a chat gives all that the gateway reads`() throws {
        let text = #"""
            {"stream": true, "messages": [{"role":"system","content":"Be brief."}, {"role":"user","content":[
            {"type":"text","text":"Hi \u263A"}]}], "seed": 18446744073709551615, "model": "meta\/llama",
            "stream_options": {"include_usage": true}, "max_tokens": 7, "max_completion_tokens": 9,
            "tools": [{"type":"function"}], "cache_salt": "s\u00e4lt", "logit_bias": {"1": -2.5e-3}}
            """#
        let body = try parse(text)
        #expect(body.model == "meta/llama")
        let modelRange = try #require(body.modelRange)
        #expect(String(decoding: Array(text.utf8)[modelRange], as: UTF8.self) == #""meta\/llama""#)
        #expect(body.stream)
        #expect(body.includeUsage)
        #expect(body.maxOutputTokens == 9)
        #expect(body.cacheSalt == "sält")
        let prompt = promptTexts(body, of: text)
        #expect(prompt.count == 2)
        #expect(prompt[0] == #"[{"type":"function"}]"#)
        #expect(prompt[1].hasPrefix(#"[{"role":"system""#) && prompt[1].hasSuffix("}]}]"))
        #expect(body.promptBytes == prompt[0].utf8.count + prompt[1].utf8.count)
        #expect(body.inputTokenEstimate == (body.promptBytes + 3) / 4)
        #expect(body.tokenIDCount == nil)
    }

    @Test func `absent and null fields take their defaults`() throws {
        let messages = #""messages":[{"role":"user","content":null},{"role":"assistant","tool_calls":[]}]"#
        for extra in ["", #","model":null,"stream":null,"stream_options":null,"max_tokens":null,"cache_salt":null"#] {
            let body = try parse("{" + messages + extra + "}")
            #expect(body.model == nil)
            #expect(body.modelRange == nil)
            #expect(!body.stream)
            #expect(!body.includeUsage)
            #expect(body.maxOutputTokens == nil)
            #expect(body.cacheSalt == nil)
            #expect(body.prompt.count == 1)
        }
    }

    @Test(
        arguments: [
            (.chatCompletions, #"{"tools":[1],"messages":[{"role":"u"}]}"#, ["[1]", #"[{"role":"u"}]"#]),
            (.chatCompletions, #"{"tools":[],"messages":[{"role":"u"}]}"#, [#"[{"role":"u"}]"#]),
            (.chatCompletionsRender, #"{"messages":[{"role":"u"}],"tools":{}}"#, [#"[{"role":"u"}]"#]),
            (.messages, #"{"messages":[{"role":"u"}],"system":"S","tools":[1]}"#, ["[1]", "S", #"[{"role":"u"}]"#]),
            (
                .messagesCountTokens, #"{"system":[{"t":1}],"messages":[{"role":"u"}]}"#,
                [#"[{"t":1}]"#, #"[{"role":"u"}]"#]
            ),
            (.responses, #"{"input":"I","tools":[1],"instructions":"N"}"#, ["N", "[1]", "I"]),
            (.responses, #"{"input":[{"role":"user"}],"instructions":null}"#, [#"[{"role":"user"}]"#]),
            (.responses, #"{"input":""}"#, []),
            (.responses, #"{"input":[]}"#, ["[]"]),
            (.conversations, #"{"items":[1, {}]}"#, ["[1, {}]"]),
            (.completions, #"{"prompt":"a\"b"}"#, [#"a\"b"#]),
            (.completionsRender, #"{"prompt":["a", "b"]}"#, [#"["a", "b"]"#]),
            (.completions, #"{"prompt":[1, 2]}"#, ["[1, 2]"]),
            (.embeddings, #"{"input":"E"}"#, ["E"]),
            (.embeddings, #"{"input":["E","F"]}"#, [#"["E","F"]"#]),
            (.images, #"{"prompt":"a cat"}"#, ["a cat"]),
            (.vllmGenerate, #"{"token_ids":[0]}"#, ["[0]"]),
            (.sglangGenerate, #"{"input_ids":[7,8]}"#, ["[7,8]"]),
        ] as [(InferenceAPI, String, [String])]
    )
    func `prompts stand in the order of the chat template`(api: InferenceAPI, text: String, prompt: [String]) throws {
        let body = try parse(text, as: api)
        #expect(body.api == api)
        #expect(promptTexts(body, of: text) == prompt)
        #expect(body.promptBytes == prompt.reduce(0) { $0 + $1.utf8.count })
    }

    @Test(
        arguments: [
            (.completions, #"{"prompt":"abcd"}"#, 1), (.completions, #"{"prompt":"abcde"}"#, 2),
            (.completions, #"{"prompt":[1,2,3,100000,4294967295]}"#, 5),
            (.embeddings, #"{"input":[ 1 , 2.0,3e0 ]}"#, 3),
            (.vllmGenerate, #"{"token_ids":[0,4294967295]}"#, 2), (.sglangGenerate, #"{"input_ids":[5]}"#, 1),
        ] as [(InferenceAPI, String, Int)]
    )
    func `tokens are counted or estimated`(api: InferenceAPI, text: String, count: Int) throws {
        #expect(try parse(text, as: api).inputTokenEstimate == count)
    }

    @Test(
        arguments: [
            (.chatCompletions, #""max_tokens":5"#, 5),
            (.chatCompletions, #""max_completion_tokens":6,"max_tokens":5"#, 6),
            (.chatCompletions, #""max_tokens":5,"max_completion_tokens":-1"#, 5),
            (.chatCompletions, #""max_tokens":"5""#, nil),
            (.chatCompletions, #""max_tokens":5,"max_completion_tokens":1.5"#, 5),
            (.chatCompletions, #""max_tokens":1e2"#, 100),
            (.chatCompletions, #""max_output_tokens":5"#, nil), (.completions, #""max_tokens":0"#, 0),
            (.completions, #""max_completion_tokens":3"#, nil), (.responses, #""max_output_tokens":11"#, 11),
            (.responses, #""max_tokens":11"#, nil), (.messages, #""max_tokens":12"#, 12),
            (.embeddings, #""max_tokens":1"#, nil),
            (.vllmGenerate, #""sampling_params":{"n":1,"max_tokens":13}"#, 13),
            (.vllmGenerate, #""max_tokens":13"#, nil),
            (.vllmGenerate, #""sampling_params":[13]"#, nil),
            (.vllmGenerate, #""sampling_params":{"max_tokens":-1}"#, nil),
            (.sglangGenerate, #""sampling_params":{"max_new_tokens":14,"max_tokens":1}"#, 14),
        ] as [(InferenceAPI, String, Int?)]
    )
    func `each API has its own bound of the output`(api: InferenceAPI, member: String, expected: Int?) throws {
        #expect(try parse(Self.withRequired(api, member), as: api).maxOutputTokens == expected)
    }

    @Test func `SGLang has a salt of its own and no model to rewrite`() throws {
        let body = try parse(
            #"{"input_ids":[1],"extra_key":"x","cache_salt":"y","model":"m","stream":true}"#,
            as: .sglangGenerate
        )
        #expect(body.cacheSalt == "x")
        #expect(body.model == nil)
        #expect(body.stream)
        #expect(!body.api.hasRewritableModel)
    }

    @Test(arguments: InferenceAPI.allCases.filter { $0 != .sglangGenerate && BodyRules(api: $0) != nil })
    func `common fields are read in every API`(api: InferenceAPI) throws {
        let members = #""model":"m","stream":true,"stream_options":{"include_usage":true},"cache_salt":"c""#
        let body = try parse(Self.withRequired(api, members), as: api)
        #expect(body.model == "m")
        #expect(body.stream)
        #expect(body.includeUsage)
        #expect(body.cacheSalt == "c")
        #expect(api.hasRewritableModel)
    }

    @Test func `a passthrough body is not looked at`() throws {
        let body = try parse("\0not JSON", as: .passthrough)
        #expect(body == ParsedBody(api: .passthrough))
        #expect(body.inputTokenEstimate == 0)
    }

    @Test(arguments: InferenceAPI.allCases.filter { BodyRules(api: $0) != nil })
    func `faults of the document are refused in every API`(api: InferenceAPI) throws {
        for text in [
            "", "[]", "3", "\"x\"", "null", "{", Self.withRequired(api, #""x":01"#),
            Self.withRequired(api, "\"x\":\"\u{1}\""),
        ] {
            #expect(throws: FormatError.self, "\(text)") { try parse(text, as: api) }
        }
        #expect(refusal("[]", as: api)?.message == "the request body must be a JSON object, not an array")
        let valid = Self.withRequired(api, #""x":1"#)
        #expect(refusal(valid, as: api) == nil)
        #expect(refusal(valid + " \n", as: api) == nil)
        #expect(refusal(valid + "}", as: api)?.code == .invalidJSON)
        let nested = String(repeating: "[", count: 128) + String(repeating: "]", count: 128)
        #expect(refusal(Self.withRequired(api, #""x":"# + nested), as: api)?.code == .nestedTooDeeply)
    }

    @Test(arguments: [
        ("model", #""model":"a","model":"b""#), ("model", #""model":"a","mod\u0065l":"b""#),
        ("stream", #""stream":true,"stream":true"#), ("max_tokens", #""max_tokens":1,"max_tokens":1"#),
        ("messages", #""messages":[{"role":"user"}]"#),
    ])
    func `a wanted field that occurs twice is refused`(field: String, members: String) throws {
        let error = try #require(refusal(Self.withRequired(.chatCompletions, members)))
        #expect(error.code == .duplicateField)
        #expect(error.parameter == field)
        #expect(error.message.contains("'\(field)'"))
        #expect(refusal(Self.withRequired(.chatCompletions, #""other":1,"other":2"#)) == nil)
    }

    @Test func `a key is known with escapes too`() throws {
        #expect(try parse(Self.withRequired(.completions, #""\u006dodel":"m""#), as: .completions).model == "m")
    }

    @Test(arguments: [
        (#""model":1"#, "model must be a string", "model"), (#""model":["m"]"#, "model must be a string", "model"),
        (#""stream":"true""#, "stream must be a boolean, not a string", "stream"),
        (#""stream":1"#, "stream must be a boolean, not a number", "stream"),
        (#""model":"\ud800""#, "model must be a string, and this one escapes half a surrogate pair", "model"),
    ])
    func `common fields of a wrong type are refused`(member: String, message: String, parameter: String) throws {
        let text = Self.withRequired(.completions, member)
        let error = try #require(refusal(text, as: .completions))
        #expect(error.code == .invalidField)
        #expect(error.message == message)
        #expect(error.parameter == parameter)
        let offset = try #require(error.byteOffset)
        #expect(text.utf8.count - offset == member.drop { $0 != ":" }.utf8.count)
    }

    /// A body of `api` with the field that the API requires and `member` behind it.
    static func withRequired(_ api: InferenceAPI, _ member: String) -> String {
        let required =
            switch api {
            case .chatCompletions, .chatCompletionsRender, .messages, .messagesCountTokens:
                #""messages":[{"role":"user"}]"#
            case .completions, .completionsRender, .images: #""prompt":"p""#
            case .embeddings, .responses: #""input":"i""#
            case .conversations: #""items":[1]"#
            case .vllmGenerate: #""token_ids":[1]"#
            case .sglangGenerate: #""input_ids":[1]"#
            case .audio, .foreign, .passthrough, .vllmGRPCGenerate, .vllmGRPCEmbed, .vertexChatCompletions,
                .vertexRawPredict:
                ""
            }
        return "{\(required),\(member)}"
    }
}
