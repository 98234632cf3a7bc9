import GatewayCore
import Testing

@testable import GatewayConfiguration

@Suite struct YAMLDocumentReaderTests {
    private func read(_ text: String) throws -> [ConfigurationValue] {
        try YAMLDocumentReader().read(text, file: "f.yaml")
    }

    private func error(_ text: String, limits: YAMLDocumentReader.Limits = .init()) -> String? {
        do {
            _ = try YAMLDocumentReader(limits: limits).read(text, file: "f.yaml")
            return nil
        } catch {
            return error.description
        }
    }

    @Test(arguments: [
        ("5", ConfigurationValue.Content.int(5)), ("-5", .int(-5)), ("+5", .int(5)), ("0o17", .int(15)),
        ("0xfF", .int(255)), ("0777", .int(777)), ("9223372036854775807", .int(.max)),
        ("9223372036854775808", .double(9_223_372_036_854_775_808)), ("1.5", .double(1.5)), ("1.", .double(1)),
        (".5", .double(0.5)), ("1.e3", .double(1_000)), ("1e3", .double(1_000)), ("-.inf", .double(-.infinity)),
        ("true", .bool(true)), ("False", .bool(false)), ("yes", .string("yes")), ("on", .string("on")), ("~", .null),
        ("null", .null), ("", .null), ("'5'", .string("5")), ("\"8000\"", .string("8000")), ("'true'", .string("true")),
        ("0x", .string("0x")), ("0x-1", .string("0x-1")), ("1:30", .string("1:30")), ("1_000", .string("1_000")),
        ("2024-01-01", .string("2024-01-01")), (".", .string(".")), ("1e", .string("1e")), ("+", .string("+")),
        ("!!str 5", .string("5")), ("!!int '5'", .int(5)), ("!!float 5", .double(5)), ("! 5", .string("5")),
        ("1Gi", .string("1Gi")), ("|\n  a\n  b", .string("a\nb\n")), ("nan", .string("nan")),
    ])
    func scalars(text: String, expected: ConfigurationValue.Content) throws {
        let document = try #require(try read("k: \(text)\n").first)
        #expect(document["k"]?.content == expected)
    }

    @Test func positionsAreThoseOfTheText() throws {
        let documents = try read("a: 1\nb:\n- x: é\n  \"y\": [1, 2]\n---\n# nothing\n---\n{\"c\": null}\n")
        #expect(documents.count == 2)
        guard case .object(let members) = documents[0].content else { return #expect(Bool(false)) }
        #expect(members.map(\.key) == ["a", "b"])
        #expect(members[1].keyPosition == SourcePosition(file: "f.yaml", line: 2, column: 1))
        guard case .array(let elements) = members[1].value.content else { return #expect(Bool(false)) }
        #expect(elements[0].position.description == "f.yaml:3:3")
        #expect(elements[0]["y"]?.position.description == "f.yaml:4:8")
        #expect(documents[1].position.description == "f.yaml:8:1")
    }

    @Test func aliasesStandForTheirNode() throws {
        let document = try #require(try read("a: &labels {app: llama}\nb: *labels\nc: [*labels, '*labels', x*y]").first)
        #expect(document["b"] == document["a"])
        #expect(document["c"] == [["app": "llama"], "*labels", "x*y"])
    }

    @Test(arguments: [
        (
            "a: 1\nb: 2\na: 3",
            #"f.yaml:1:1: "a" is written more than once in one mapping; here is the first"#
        ),
        ("!!int 1: a\n1: b", #"f.yaml:2:1: "1" is written more than once in one mapping"#),
        (
            "a: [1",
            "f.yaml:2:1: not YAML: did not find expected ',' or ']' while parsing a flow sequence at line 1, column 4"
        ),
        ("a: *b", "f.yaml:1:4: not YAML: found undefined alias"),
        ("? [1]\n: a", "f.yaml:1:3: a key must be text, not a list or an object"),
        ("a: &x k\n*x : b", "f.yaml:2:1: a key must be text, not an alias"),
        ("a: &x {k: 1}\nb:\n  <<: *x", #"f.yaml:3:3: merge keys ("<<") are not supported"#),
        ("a: b\u{0}c", "f.yaml:1:5: YAML does not allow this control character"),
        ("a: !!binary aGk=", #"f.yaml:1:4: the tag "tag:yaml.org,2002:binary" does not fit the value "aGk=""#),
        ("a: !!int x", #"f.yaml:1:4: the tag "tag:yaml.org,2002:int" does not fit the value "x""#),
        (
            "a:\n\tb: 1",
            "f.yaml:2:1: not YAML: found character that cannot start any token while scanning for the next "
                + "token at line 2, column 1"
        ),
    ])
    func errors(text: String, expected: String) {
        #expect(error(text) == expected)
    }

    @Test func aliasBombsAreRefusedQuickly() {
        var values = "a0: &a0 [x, x]\n"
        for level in 1...60 { values += "a\(level): &a\(level) [*a\(level - 1), *a\(level - 1)]\n" }
        #expect(error(values)?.hasSuffix("the file has more than 100000 values") == true)
        // As a key the same would be hashed in full by the parser, before any count could stop it.
        #expect(error(values + "? *a60\n: x\n")?.hasSuffix("a key must be text, not an alias") == true)
        #expect(error(values + "? [*a60]\n: x\n")?.hasSuffix("a key must be text, not a list or an object") == true)
        #expect(error(values + "b: {[*a60]: x}\n")?.hasSuffix("a key must be text, not a list or an object") == true)
        #expect(error(values + "b: {*a60}\n")?.hasSuffix("a key must be text, not an alias") == true)
        #expect(error("a: &a [*a]\n") == "f.yaml:1:8: not YAML: found undefined alias")
    }

    @Test func limitsHold() {
        var limits = YAMLDocumentReader.Limits()
        limits.maxBytes = 10
        #expect(error("a: 45678901", limits: limits) == "f.yaml: the file has 11 bytes; at most 10 are read")
        limits = YAMLDocumentReader.Limits()
        limits.maxNodes = 3
        #expect(error("[1, 2]", limits: limits) == nil)
        #expect(error("[1, 2, 3]", limits: limits) == "f.yaml:1:8: the file has more than 3 values")
        #expect(error("[1]\n---\n[2]", limits: limits) == "f.yaml:3:2: the file has more than 3 values")
        let deep = String(repeating: "[", count: 66) + String(repeating: "]", count: 66)
        #expect(error(deep) == "f.yaml:1:66: nested deeper than 64 levels")
        let deeper = String(repeating: "[", count: 100_000)
        #expect(error(deeper) != nil)
        #expect(error(String(repeating: "- ", count: 100_000)) != nil)
    }

    @Test func whatIsPrintedReadsBack() throws {
        let value: ConfigurationValue = [
            "text": "plain", "number as text": "5", "empty": "", "yes": "no", "null": nil,
            "list": [1, -2.5, true, [[], [:]]],
            "lines": "a\nb\t\"c\" \\ \u{7} é 😀 \u{2028}", "objects": [["a": 1, "b": ["c": "d"]], ["e": []], [:]],
            "dash": "- a", "colon": "a: b", "hash": "a #b", "exponent": 1e300, "tilde": "~", "star": "*a",
        ]
        let text = YAMLPrinter.print(value)
        #expect(try read(text) == [value])
        #expect(text.hasPrefix("text: plain\n\"number as text\": \"5\"\nempty: \"\"\n\"yes\": \"no\"\n"))
        #expect(text.contains("objects:\n- a: 1\n  b:\n    c: d\n- e: []\n- {}\n"))
    }
}
