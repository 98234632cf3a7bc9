import Testing

@testable import RequestFormats

/// What becomes of `text` when it comes in pieces that end at `cuts`.
private func restored(
    _ text: some Sequence<UInt8>,
    name: String = "chat-alias",
    served: String = "tiny-llama",
    api: InferenceAPI = .chatCompletions,
    stream: Bool,
    cuts: [Int] = []
) -> [UInt8] {
    let bytes = Array(text)
    var restorer = ModelNameRestorer(name: name, servedAs: served, api: api, isEventStream: stream)
    var result: [UInt8] = []
    var start = 0
    for end in cuts + [bytes.count] {
        result += restorer.restore(bytes.span.bytes.extracting(start..<end)) ?? Array(bytes[start..<end])
        start = end
    }
    return result + restorer.finish()
}

/// The same with texts.
private func restored(
    _ text: String,
    name: String = "chat-alias",
    served: String = "tiny-llama",
    api: InferenceAPI = .chatCompletions,
    stream: Bool = false
) -> String {
    let bytes = restored(text.utf8, name: name, served: served, api: api, stream: stream)
    return String(decoding: bytes, as: UTF8.self)
}

@Suite struct ModelNameRestorerTests {
    /// Recorded responses, in which the model's name stands nowhere but where it is told.
    private static let recordings: [(text: String, api: InferenceAPI, isStream: Bool)] = [
        (RecordedResponses.vllmChat, .chatCompletions, true), (RecordedResponses.sglangChat, .chatCompletions, true),
        (RecordedResponses.vllmAnthropic, .messages, true), (RecordedResponses.vllmResponses, .responses, true),
        (RecordedResponses.vllmCompletion, .completions, false),
    ]

    @Test(arguments: recordings)
    func `recorded responses get the client's name, wherever they are cut`(
        text: String, api: InferenceAPI, isStream: Bool
    ) {
        let expected = Array(text.replacing("\"tiny-llama\"", with: "\"chat-alias\"").utf8)
        #expect(expected != Array(text.utf8))
        let count = text.utf8.count
        func isRight(_ cuts: [Int]) -> Bool {
            restored(text.utf8, api: api, stream: isStream, cuts: cuts) == expected
        }
        for cut in 0...count where !isRight([cut]) { Issue.record("cut at \(cut)") }
        #expect(isRight(Array(1..<count)))
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<200 {
            let cuts = (0..<Int.random(in: 0...20, using: &generator)).map { _ in
                Int.random(in: 0...count, using: &generator)
            }
            if !isRight(cuts.sorted()) { Issue.record("cut at \(cuts.sorted())") }
        }
    }

    @Test(arguments: recordings)
    func `a response without the name passes as it is and without a copy`(
        text: String, api: InferenceAPI, isStream: Bool
    ) {
        let bytes = Array(text.utf8)
        var restorer = ModelNameRestorer(name: "x", servedAs: "other", api: api, isEventStream: isStream)
        #expect(restorer.restore(bytes.span.bytes) == nil)
        #expect(restorer.finish().isEmpty)
        // A name that begins alike is held for a moment, and comes.
        for served in ["tiny", "tiny-llama-2", "tiny-llamb", "t"] {
            #expect(
                restored(text.utf8, served: served, api: api, stream: isStream, cuts: Array(1..<bytes.count)) == bytes)
        }
    }

    @Test(
        arguments: [
            (#"{"model":"m"}"#, #"{"model":"alias"}"#),
            (#"{ "model" : "m" , "x":1}"#, #"{ "model" : "alias" , "x":1}"#),
            ("{\"x\":[{\"y\":{}}],\"model\"\t:\r\n \"m\"}", "{\"x\":[{\"y\":{}}],\"model\"\t:\r\n \"alias\"}"),
            ("\u{FEFF} {\"model\":\"m\"}", "\u{FEFF} {\"model\":\"alias\"}"),
            (#"{"x":"{\"model\":\"m\"","model":"m"}"#, #"{"x":"{\"model\":\"m\"","model":"alias"}"#),
            (#"{"model":"m"}{"model":"m"}"#, #"{"model":"alias"}{"model":"alias"}"#),
            (#"{"model":"m","model":"m"}"#, #"{"model":"alias","model":"alias"}"#),
            (#"{"x":"\\","model":"m"}"#, #"{"x":"\\","model":"alias"}"#),
            (#"{"x":"\u0022","model":"m"}"#, #"{"x":"\u0022","model":"alias"}"#),
            (#"{"model":"\u006d"}"#, #"{"model":"alias"}"#),
        ])
    func `the model of the outermost object is the client's`(text: String, expected: String) {
        #expect(restored(text, name: "alias", served: "m") == expected)
    }

    @Test(arguments: [
        #"{"choices":[{"message":{"content":"{\"model\":\"m\"}","model":"m"}}]}"#,
        #"{"choices":[{"delta":{"content":"\"model\":\"m\""}}]}"#, #"{"x":{"model":"m"}}"#, #"[{"model":"m"}]"#,
        #"{"x":"model","y":"m"}"#, #"{"x":["model","m"]}"#, #"{"model":["m"]}"#, #"{"model":{"m":"m"}}"#,
        #"{"model":1,"x":"m"}"#, #"{"models":"m"}"#, #"{"mode":"m"}"#, #"{"a_model":"m"}"#, #"{"Model":"m"}"#,
        #"{"mod\u0065l":"m"}"#, #""model":"m""#, #""{\"model\":\"m\"}""#, #"{"message":{"model":"m"}}"#,
        #"{"response":{"model":"m"}}"#, #"{"model":"mm"}"#, #"{"model":""}"#, #"{"model":"M"}"#, #"{"model":"m "}"#,
        #"{"model":"\m"}"#, #"{"model":"\u006"}"#, #"{"model":"\"m"}"#, #"{"model":"m\"}"#, #"{"model":"m"#,
        #"{"model":"#, #"{"model":null}"#, #"}}{"x":{"model":"m"}}"#, #"{"longest model":"m"}"#, "",
    ])
    func `everything else stays as it is`(text: String) {
        #expect(restored(text, name: "alias", served: "m") == text)
        let count = text.utf8.count
        let pieces = restored(text.utf8, name: "alias", served: "m", stream: false, cuts: Array(0..<count))
        #expect(String(decoding: pieces, as: UTF8.self) == text)
    }

    @Test(
        arguments: [
            (InferenceAPI.responses, "response", true), (.messages, "message", true), (.responses, "message", false),
            (.messages, "response", false), (.chatCompletions, "message", false), (.completions, "response", false),
        ])
    func `streams of some APIs have the response in an envelope`(
        api: InferenceAPI, envelope: String, isRestored: Bool
    ) {
        let inner = #"{"type":"x","\#(envelope)":{"id":1,"content":[{"model":"m"}],"model":"m"},"model":"m"}"#
        let last = #"{"model":"m","content":{"\#(envelope)":{"model":"m"}}}"#
        let text = "event: x\ndata: \(inner)\n\ndata: \(last)\n\n"
        let model = isRestored ? "alias" : "m"
        let expected =
            "event: x\n"
            + #"data: {"type":"x","\#(envelope)":{"id":1,"content":[{"model":"m"}],"model":"\#(model)"},"#
            + "\"model\":\"alias\"}\n\ndata: "
            + #"{"model":"alias","content":{"\#(envelope)":{"model":"m"}}}"# + "\n\n"
        #expect(restored(text, name: "alias", served: "m", api: api, stream: true) == expected)
        let body = #"{"\#(envelope)":{"model":"m"}}"#
        #expect(restored(body, name: "alias", served: "m", api: api) == body, "only in streams")
    }

    @Test func `each data line is a document of its own`() {
        let open = #"{"choices":[{"text":"never ends"#
        let model = #"{"model":"m"}"#
        let text =
            "data: \(open)\ndata:\(model)\r\ndata: \(model)\r: \(model)\nevent: \(model)\n\(model)\nda\ndat\(model)\n"
            + "data: {\"model\":\"m\ndata: \"}\n\ndata:  \(model)\ndata: [DONE]\ndata: \(model)"
        var expected = text
        for prefix in ["data:", "data: ", "data:  "] {
            expected = expected.replacing(prefix + model, with: prefix + #"{"model":"alias"}"#)
        }
        #expect(restored(text, name: "alias", served: "m", stream: true) == expected)
        let cuts = Array(1..<text.utf8.count)
        let pieces = restored(text.utf8, name: "alias", served: "m", stream: true, cuts: cuts)
        #expect(String(decoding: pieces, as: UTF8.self) == expected)
    }

    @Test(
        arguments: [
            ("org/model", #"org\/model"#), ("org/model", "org/model"), ("Modèle", #"Mod\u00e8le"#),
            ("Modèle", "Modèle"),
            ("😀", #"\ud83d\uDE00"#), ("😀", "😀"), ("a\"b\\c", #"a\"b\\c"#), ("日本", #"\u65E5本"#),
        ])
    func `names are compared with their escapes resolved`(served: String, spelled: String) {
        #expect(restored(#"{"model":"\#(spelled)"}"#, name: "x", served: served) == #"{"model":"x"}"#)
        for other in [#"\ud83d"#, #"\ud83dx"#, #"\ud83d\n"#, #"\ude00"#, #"\ud83d\u0041"#, "\(spelled)x", #"\/"#] {
            let text = #"{"model":"\#(other)","y":"\\","z":1}"#
            #expect(restored(text, name: "x", served: served) == text)
        }
    }

    @Test func `the client's name is escaped`() {
        #expect(restored(#"{"model":"m"}"#, name: #"a"b\"#, served: "m") == #"{"model":"a\"b\\"}"#)
    }

    @Test func `no more is held back than a name can take`() {
        let served = String(repeating: "m", count: 50)
        var restorer = ModelNameRestorer(name: "x", servedAs: served, api: .completions, isEventStream: false)
        let text = #"{"model":""# + String(repeating: #"\u006d"#, count: 51) + #"","x":1}"#
        var (taken, given, most) = (0, 0, 0)
        for byte in text.utf8 {
            let bytes = [byte]
            taken += 1
            given += restorer.restore(bytes.span.bytes)?.count ?? 1
            most = max(most, taken - given)
        }
        #expect(given == text.utf8.count)
        #expect(most <= 6 * 50 + 6 && most > 6 * 50)
    }

    @Test func `damaged responses lose nothing, and are the same however they are cut`() {
        var generator = SeededGenerator(seed: 4)
        var changed = 0
        for round in 0..<4_000 {
            let (text, api, isStream) = Self.recordings[round % Self.recordings.count]
            let bytes = generator.mutated(Array(text.utf8))
            let whole = restored(bytes, name: "n", api: api, stream: isStream)
            let cuts = (0..<Int.random(in: 1...40, using: &generator)).map { _ in
                Int.random(in: 0...bytes.count, using: &generator)
            }
            if restored(bytes, name: "n", api: api, stream: isStream, cuts: cuts.sorted()) != whole {
                Issue.record("\(bytes) cut at \(cuts.sorted())")
            }
            // Each replacement takes nine bytes: nothing else may be missing or added.
            if (bytes.count - whole.count) % 9 != 0 { Issue.record("\(bytes)") }
            if whole != bytes { changed += 1 }
        }
        #expect(changed > 1_000)
    }
}
