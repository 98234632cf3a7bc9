import Testing

@testable import RequestFormats

/// The texts by which the APIs' own fields are refused. Each begins with the words that the llm-d endpoint picker uses.
@Suite struct BodyRefusalTests {
    @Test(
        arguments: [
            (
                .chatCompletions, ["{}", #"{"messages":null}"#, #"{"messages":[]}"#], "messages",
                "invalid chat completions request: must have valid messages field"
            ),
            (
                .chatCompletionsRender, ["{}"], "messages",
                "invalid chat completions request: must have valid messages field"
            ),
            (
                .messages, ["{}", #"{"messages":[ ]}"#], "messages",
                "invalid messages request: must have at least one message"
            ),
            (.messagesCountTokens, ["{}"], "messages", "invalid messages request: must have at least one message"),
            (
                .completions, ["{}", #"{"prompt":""}"#, #"{"prompt":[]}"#, #"{"prompt":null}"#], "prompt",
                "invalid completions request: must have prompt field"
            ),
            (.completionsRender, ["{}"], "prompt", "invalid completions request: must have prompt field"),
            (
                .embeddings, ["{}", #"{"input":""}"#, #"{"input":[]}"#], "input",
                "invalid embeddings request: must have input field"
            ),
            (.responses, ["{}", #"{"input":null}"#], "input", "invalid responses request: must have input field"),
            (
                .conversations, ["{}", #"{"items":[]}"#, #"{"items":null}"#], "items",
                "invalid conversations request: must have items field"
            ),
            (
                .images, ["{}", #"{"prompt":""}"#], "prompt",
                "invalid images generations request: must have prompt field"
            ),
            (
                .vllmGenerate, ["{}", #"{"token_ids":[]}"#], "token_ids",
                "invalid generate request: must have token_ids field"
            ),
            (
                .sglangGenerate, ["{}", #"{"input_ids":[]}"#], "input_ids",
                "invalid generate request: must have input_ids field"
            ),
        ] as [(InferenceAPI, [String], String, String)]
    )
    func `an absent or empty field`(api: InferenceAPI, texts: [String], field: String, message: String) throws {
        for text in texts {
            let error = try #require(refusal(text, as: api), "\(text)")
            #expect(error == FormatError(.missingField, message, parameter: field), "\(text)")
        }
    }

    @Test(
        arguments: [
            (.chatCompletions, #"{"messages":"hi"}"#, "messages must be an array, not a string", 12),
            (.chatCompletions, #"{"messages":[1]}"#, "messages[0] must be an object, not a number", 13),
            (.chatCompletions, #"{"messages":[{"role":"u"},{}]}"#, "messages[1] has no role", 26),
            (.chatCompletions, #"{"messages":[{"role":null}]}"#, "messages[0].role must be a string, not null", 21),
            (
                .chatCompletions, #"{"messages":[{"role":"u","content":1}]}"#,
                "messages[0].content must be a string, null or an array of objects, not a number", 35
            ),
            (
                .chatCompletions, #"{"messages":[{"role":"u","content":[{},"x"]}]}"#,
                "messages[0].content[1] must be an object, not a string", 39
            ),
            (.messages, #"{"messages":{}}"#, "messages must be an array, not an object", 12),
            (.messages, #"{"system":1,"messages":[]}"#, "system must be a string or an array, not a number", 10),
            (.completions, #"{"prompt":{}}"#, "prompt must be a string or an array, not an object", 10),
            (
                .completions, #"{"prompt":[1,"a"]}"#, "prompt[1] must be an integer from 0 to 4294967295, not a string",
                13
            ),
            (
                .completions, #"{"prompt":["a",1]}"#,
                "prompt[1] must be a string, as the elements before it, not a number", 15
            ),
            (
                .completions, #"{"prompt":[[1]]}"#,
                "unsupported array element type: prompt[0] must be a string or a token id, not an array", 11
            ),
            (.completions, #"{"prompt":[1,-1]}"#, "prompt[1] must be an integer from 0 to 4294967295", 13),
            (.completions, #"{"prompt":[4294967296]}"#, "prompt[0] must be an integer from 0 to 4294967295", 11),
            (.completions, #"{"prompt":[42949672950]}"#, "prompt[0] must be an integer from 0 to 4294967295", 11),
            (.completions, #"{"prompt":[1.5]}"#, "prompt[0] must be an integer from 0 to 4294967295", 11),
            (.embeddings, #"{"input":true}"#, "input must be a string or an array, not a boolean", 9),
            (.responses, #"{"input":5}"#, "input must be a string or an array, not a number", 9),
            (.conversations, #"{"items":"x"}"#, "items must be an array, not a string", 9),
            (.images, #"{"prompt":["a"]}"#, "prompt must be a string, not an array", 10),
            (.vllmGenerate, #"{"token_ids":"1"}"#, "token_ids must be an array, not a string", 13),
            (
                .vllmGenerate, #"{"token_ids":[1,null]}"#,
                "token_ids[1] must be an integer from 0 to 4294967295, not null", 16
            ),
            (
                .sglangGenerate, #"{"input_ids":[[1]]}"#,
                "input_ids[0] must be an integer from 0 to 4294967295, not an array", 14
            ),
        ] as [(InferenceAPI, String, String, Int)]
    )
    func `a field of a wrong shape`(api: InferenceAPI, text: String, fault: String, offset: Int) throws {
        let error = try #require(refusal(text, as: api))
        let rules = try #require(BodyRules(api: api))
        #expect(error.code == .invalidField)
        #expect(error.message == "\(rules.refusal): \(fault)")
        #expect(error.byteOffset == offset)
        #expect(error.description == "\(error.message) (byte \(offset))")
    }

    @Test func `a leading zero in a token id is a fault of the document`() {
        #expect(refusal(#"{"prompt":[01]}"#, as: .completions)?.code == .invalidJSON)
        #expect(refusal(#"{"prompt":[1}"#, as: .completions)?.code == .invalidJSON)
        #expect(refusal(#"{"prompt":[12"#, as: .completions)?.code == .invalidJSON)
    }
}
