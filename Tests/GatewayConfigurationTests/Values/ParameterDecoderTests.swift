import GatewayCore
import Testing

@testable import GatewayConfiguration

@Suite struct ParameterDecoderTests {
    private enum Mode: String, CaseIterable {
        case fast
        case thorough
    }

    /// The problems of one document that is read by `read`, as text.
    private func problems(_ yaml: String, _ read: (ParameterDecoder) -> Void) throws -> [String] {
        let value = try #require(try YAMLDocumentReader().read(yaml, file: "f.yaml").first)
        let decoder = ParameterDecoder(value: value, path: "parameters")
        read(decoder)
        do {
            try decoder.finish()
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    @Test func readsEveryKindOfValue() throws {
        let decoder = ParameterDecoder(value: [
            "text": "a", "flag": true, "count": 3, "share": 0.5, "whole": 2, "wait": "50ms", "bytes": "1Gi",
            "mode": "thorough", "names": ["a", "b"], "ports": [1, 2], "bounds": [0.5, 1], "labels": ["a": "b"],
            "inner": ["x": 1], "rows": [["x": 1], ["x": 2]],
        ])
        #expect(decoder.string("text") == "a")
        #expect(decoder.bool("flag", default: false))
        #expect(decoder.int("count", default: 0) == 3)
        #expect(decoder.double("share", default: 0) == 0.5)
        #expect(decoder.double("whole", default: 0) == 2)
        #expect(decoder.duration("wait", default: .zero) == .milliseconds(50))
        #expect(decoder.quantity("bytes", default: 0) == 1 << 30)
        #expect(decoder.enumeration("mode", default: Mode.fast) == .thorough)
        #expect(decoder.strings("names") == ["a", "b"])
        #expect(decoder.ints("ports") == [1, 2])
        #expect(decoder.doubles("bounds") == [0.5, 1])
        #expect(decoder.stringMap("labels") == ["a": "b"])
        #expect(decoder.object("inner")?.int("x") == 1)
        #expect(decoder.objects("rows").map { $0.requiredInt("x") } == [1, 2])
        try decoder.finish()
    }

    @Test(arguments: [ConfigurationValue?.none, .some(nil), .some([:]), .some(["count": nil, "inner": nil])])
    func nothingMeansDefaults(value: ConfigurationValue?) throws {
        let decoder = ParameterDecoder(value: value)
        #expect(decoder.int("count", default: 7) == 7)
        #expect(decoder.string("text", default: "x") == "x")
        #expect(decoder.object("inner") == nil)
        #expect(decoder.objects("rows").isEmpty)
        #expect(decoder.duration("wait", default: .seconds(1)) == .seconds(1))
        try decoder.finish()
    }

    @Test func everythingWrongIsReportedAtOnceInOrder() throws {
        let yaml = """
            count: many
            share: 7
            wait: 5
            bytes: 1XB
            mode: fats
            text: 5
            names: [a, 2]
            port: 70000
            flag: yes
            labels: {a: 1}
            inner: [1]
            """
        let found = try problems(yaml) { decoder in
            #expect(decoder.int("count", default: 4) == 4)
            #expect(decoder.double("share", default: 0.25, in: 0...1) == 0.25)
            #expect(decoder.duration("wait", default: .seconds(2)) == .seconds(2))
            #expect(decoder.quantity("bytes", default: 8) == 8)
            #expect(decoder.enumeration("mode", default: Mode.thorough) == .thorough)
            #expect(decoder.string("text", default: "t") == "t")
            #expect(decoder.strings("names") == ["a"])
            #expect(decoder.requiredInt("port", in: 1...65_535) == 1)
            #expect(!decoder.bool("flag", default: false))
            #expect(decoder.stringMap("labels").isEmpty)
            #expect(decoder.requiredObject("inner").requiredString("x") == "")
            #expect(decoder.requiredString("absent") == "")
        }
        #expect(
            found == [
                #"f.yaml:1:1: parameters.absent: required field "absent" is missing"#,
                #"f.yaml:1:8: parameters.count: expected a whole number, found "many""#,
                #"f.yaml:2:8: parameters.share: 7 is not in 0.0 to 1.0"#,
                #"f.yaml:3:7: parameters.wait: expected a duration such as "50ms" or "1m30s", found 5"#,
                #"f.yaml:4:8: parameters.bytes: expected an amount such as 100, "1k" or "1Gi", found "1XB""#,
                #"f.yaml:5:7: parameters.mode: "fats" is not one of fast, thorough (did you mean "fast"?)"#,
                #"f.yaml:6:7: parameters.text: expected text (in quotes), found 5"#,
                #"f.yaml:7:12: parameters.names[1]: expected text (in quotes), found 2"#,
                #"f.yaml:8:7: parameters.port: 70000 is not in 1 to 65535"#,
                #"f.yaml:9:7: parameters.flag: expected true or false, found "yes""#,
                #"f.yaml:10:13: parameters.labels.a: expected text (in quotes), found 1"#,
                #"f.yaml:11:8: parameters.inner: expected an object, found a list of 1"#,
            ]
        )
    }

    @Test func unknownFieldsNameTheNearestKnownOne() throws {
        let found = try problems("queueTreshold: 5\ninner: {zzzzzzzz: 1}\napp.io/x: 1") { decoder in
            _ = decoder.int("queueThreshold")
            _ = decoder.object("inner")?.int("depth")
        }
        #expect(
            found == [
                #"f.yaml:1:1: parameters.queueTreshold: unknown field "queueTreshold" (did you mean "#
                    + #""queueThreshold"?)"#,
                #"f.yaml:2:9: parameters.inner.zzzzzzzz: unknown field "zzzzzzzz"; known are depth"#,
                #"f.yaml:3:1: parameters["app.io/x"]: unknown field "app.io/x"; known are queueThreshold, inner"#,
            ]
        )
    }

    @Test func finishReportsAnUnknownFieldOnce() throws {
        let decoder = ParameterDecoder(value: ["x": 1])
        #expect(throws: ConfigurationError.self) { try decoder.finish() }
        let error = #expect(throws: ConfigurationError.self) { try decoder.finish() }
        #expect(error?.problems.count == 1)
        #expect(error?.description == #"<built-in>: x: unknown field "x"; no field is known here"#)
    }

    @Test func aThrownErrorCarriesWhatWasFoundBefore() {
        let decoder = ParameterDecoder(value: ["count": "x"], path: "p")
        _ = decoder.int("count")
        let error = decoder.error("no such type", candidates: ["queue-scorer"], value: "queue-scorr")
        #expect(error.problems.map(\.path) == ["p.count", "p"])
        #expect(error.problems.last?.suggestion == "queue-scorer")
    }

    @Test func fieldsWithoutEffectWarn() throws {
        let decoder = ParameterDecoder(value: ["a": 1, "b": nil], path: "spec")
        decoder.acceptWithoutEffect("a", "b", "c", because: "it is for clusters")
        try decoder.finish()
        #expect(decoder.warnings.map(\.description) == ["<built-in>: spec.a: has no effect: it is for clusters"])
    }

    @Test func bareNumbersAreNanosecondsOnlyWhereAllowed() throws {
        let decoder = ParameterDecoder(value: ["a": 1_000, "b": 0])
        #expect(decoder.duration("a", bareNumbers: .nanoseconds) == .microseconds(1))
        #expect(decoder.duration("b") == .zero)
        try decoder.finish()
    }

    @Test(arguments: [
        (1, "1 is not in 2 to 4"), (5, "5 is not in 2 to 4"), (.min, "-9223372036854775808 is not in 2 to 4"),
    ])
    func rangesAreChecked(value: Int64, message: String) {
        let decoder = ParameterDecoder(value: ["n": ConfigurationValue(.int(value))])
        #expect(decoder.int("n", default: 3, in: 2...4) == 3)
        #expect(decoder.problems.map(\.message) == [message])
    }

    @Test(arguments: [
        ("selectr", "selector"), ("SELECTOR", "selector"), ("naem", "name"), ("xyz", nil), ("", nil), ("nmae", "name"),
        ("a", nil), ("slector", "selector"), ("verylongnamethatisnothinglikeit", nil),
    ])
    func nearestNames(name: String, expected: String?) {
        #expect(NearestName.find(name, in: ["name", "selector", "targetPorts"]) == expected)
    }

    @Test func messagesEscapeAndCutForeignText() {
        #expect(ConfigurationProblem.quoted("a\n\u{1B}[31m\"") == #""a\n\u{1b}[31m\"""#)
        #expect(ConfigurationProblem.quoted(String(repeating: "x", count: 100)).count == 83)
    }
}
