import Testing

@testable import RequestFormats

@Suite struct FieldFinderTests {
    private func find(_ text: String, _ names: String..., bytesMax: Int = 1024) throws(FormatError) -> [FieldText?] {
        let bytes = Array(text.utf8)
        return try FieldFinder(names: names, bytesMax: bytesMax).fields(ofJSON: bytes.span.bytes)
    }

    private func refusal(_ text: String, _ names: String...) -> FormatError? {
        let bytes = Array(text.utf8)
        do throws(FormatError) {
            _ = try FieldFinder(names: names, bytesMax: 1024).fields(ofJSON: bytes.span.bytes)
            return nil
        } catch {
            return error
        }
    }

    @Test(
        arguments: [
            (#""m""#, "m"), (#""""#, ""), (#""a\u00e9\n\/""#, "aé\n/"), ("1.50e3", "1.50e3"), ("-0", "-0"),
            ("true", "true"), ("false", "false"), ("{}", "{}"), ("[ ]", "[]"),
            ("{ \"a b\" : [ 1 ,\n\t\"x \\\" y\" , null ] }", #"{"a b":[1,"x \" y",null]}"#),
            (#"[ "\\", " " ]"#, #"["\\"," "]"#),
        ])
    func `values of any type are text`(json: String, expected: String) throws {
        #expect(try find(#"{"x":[{"f":0}], "f" : \#(json) ,"y":1}"#, "f") == [.text(expected)])
    }

    @Test func `an absent field and null are nothing`() throws {
        #expect(try find(#"{"f":null,"a":{"g":1}}"#, "f", "g", "h") == [nil, nil, nil])
        #expect(try find("{}") == [])
    }

    @Test func `names are looked up with escapes, each one once`() throws {
        #expect(FieldFinder(names: ["a", "b", "a"], bytesMax: 1).names == ["a", "b"])
        #expect(try find(#"{"mod\u0065l":"m","user-id":7}"#, "user-id", "model") == [.text("7"), .text("m")])
        #expect(try find(#"{"é":1,"":2}"#, "é", "") == [.text("1"), .text("2")])
        // Other bytes are another name, even if Unicode takes them for the same text.
        #expect(try find("{\"e\u{301}\":1}", "\u{E9}") == [nil])
    }

    @Test func `long values are not copied`() throws {
        let long = String(repeating: "x", count: 9)
        for value in ["\"\(long)\"", "[\"\(long)\"]", "1234567890", "\"\\u0041\(long.dropFirst())\""] {
            #expect(try find(#"{"f":\#(value)}"#, "f", bytesMax: 8) == [.tooLong])
        }
        #expect(try find(#"{"f":[ 1, 2 ,3   ]}"#, "f", bytesMax: 7) == [.text("[1,2,3]")])
        #expect(try find(#"{"f":"\u0041\u0041"}"#, "f", bytesMax: 2) == [.text("AA")])
    }

    @Test func `a field that occurs twice is refused`() {
        for text in [#"{"f":1,"f":1}"#, #"{"f":null,"\u0066":1}"#] {
            #expect(refusal(text, "f")?.code == .duplicateField)
            #expect(refusal(text, "f")?.message == "the request body has the field 'f' twice")
        }
        #expect(refusal(#"{"g":1,"g":1}"#, "f") == nil)
    }

    @Test func `what is no JSON object is refused`() {
        #expect(refusal("[]", "f")?.message == "the request body must be a JSON object, not an array")
        #expect(refusal(#"{"f":1"#, "f")?.byteOffset == 6)
        #expect(refusal(#"{"f":1}x"#, "f")?.code == .invalidJSON)
        #expect(refusal(#"{"f":"\ud800"}"#, "f")?.parameter == "f")
        #expect(refusal(#"{"g":"\ud800"}"#, "f") == nil)
        #expect(refusal("", "f") != nil)
        let deep = #"{"g":"# + String(repeating: "[", count: 200)
        #expect(refusal(deep, "f")?.code == .nestedTooDeeply)
    }

    @Test func `damaged bodies are read or refused, and every cut is refused`() {
        let text =
            #"{"model":"a\u00e9\ud83d\ude00","n":-1.5e+3,"o":{"a":[true,null,"\\\""],"model":1},"s":"日本","t":"" }"#
        let whole = Array(text.utf8)
        let finder = FieldFinder(names: ["model", "o", "s", "zz"], bytesMax: 24)
        func outcome(_ bytes: [UInt8]) -> [FieldText?]? {
            try? finder.fields(ofJSON: bytes.span.bytes)
        }
        #expect(outcome(whole) == [.text("aé😀"), .tooLong, .text("日本"), nil])
        for end in 0..<whole.count { #expect(outcome(Array(whole[..<end])) == nil) }
        var generator = SeededGenerator(seed: 11)
        var read = 0
        for _ in 0..<5_000 {
            let bytes = generator.mutated(whole)
            guard let fields = outcome(bytes) else { continue }
            read += 1
            if syntaxError(bytes) != nil || fields.count != 4 { Issue.record("\(bytes)") }
        }
        #expect(read > 100 && read < 4_500, "\(read) read")
    }
}
