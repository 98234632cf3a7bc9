import GatewayCore
import Testing

@testable import BuiltinPlugins

/// The part of the Common Expression Language that reporters read.
@Suite struct CELExpressionTests {
    private let usage = TokenUsage(promptTokens: 32, completionTokens: 10, cachedTokens: 16)

    private func value(_ text: String) throws -> CELValue? {
        try CELExpression(text).value(for: usage)
    }

    @Test(
        arguments: [
            ("1", .int(1)), ("0x1F", .int(31)), ("7u", .uint(7)), ("0xfU", .uint(15)), ("1.5", .double(1.5)),
            (".5", .double(0.5)), ("1e3", .double(1000)), ("2.5E-1", .double(0.25)), ("1e+2", .double(100)),
            ("true", .bool(true)), ("false", .bool(false)), ("'a'", .string("a")), (#""a\n\'\\""#, .string("a\n'\\")),
            ("''", .string("")), ("-9223372036854775808", .int(.min)), ("9223372036854775807", .int(.max)),
            ("18446744073709551615u", .uint(.max)), ("- 3", .int(-3)), ("--3", .int(3)), ("-1.5", .double(-1.5)),
            (" // before\n 1 // behind", .int(1)), ("\t\r\n1", .int(1)), ("'é' + 'x'", .string("éx")),
        ] as [(String, CELValue)]
    )
    func literals(text: String, expected: CELValue) throws {
        #expect(try value(text) == expected)
    }

    @Test(
        arguments: [
            ("usage.prompt_tokens", 32), ("usage.completion_tokens", 10), ("usage.total_tokens", 42),
            ("usage.prompt_tokens_details.cached_tokens", 16), ("(usage).prompt_tokens", 32),
            ("usage . prompt_tokens", 32),
            ("usage.prompt_tokens + usage.completion_tokens", 42), ("usage.prompt_tokens * 2", 64),
            ("2u * usage.prompt_tokens", 64), ("usage.prompt_tokens / 5", 6.4), ("usage.prompt_tokens / 0", .infinity),
            ("-usage.prompt_tokens", -32), ("usage.prompt_tokens * 0.5 + 1", 17),
            ("(has(usage.prompt_tokens) ? usage.prompt_tokens : 0) + 1.5", 33.5),
            ("usage.prompt_tokens - usage.prompt_tokens_details.cached_tokens / 2", 24),
        ] as [(String, Double)]
    )
    func countsAreDoublesThatGoWithWholeNumbers(text: String, expected: Double) throws {
        #expect(try value(text) == .double(expected))
        #expect(try CELExpression(text).type == .count)
    }

    @Test(
        arguments: [
            ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("10 - 4 - 3", 3), ("100 / 10 / 5", 2), ("7 % 4 * 2", 6),
            ("-7 / 2", -3), ("-7 % 2", -1), ("2 + -1", 1), ("2--1", 3), ("true ? 1 : false ? 2 : 3", 1),
            ("false ? 1 : false ? 2 : 3", 3), ("1 < 2 && 2 < 3 ? 4 : 5", 4), ("int(1.9)", 1), ("int(-1.9)", -1),
            ("int(7u) + 1", 8), ("int(usage.prompt_tokens) % 5", 2), ("int(usage.prompt_tokens / 5)", 6),
            ("int(double(3)) + int(3)", 6), ("1 == 1 == true ? 1 : 0", 1),
        ] as [(String, Int64)]
    )
    func precedence(text: String, expected: Int64) throws {
        #expect(try value(text) == .int(expected))
    }

    @Test(
        arguments: [
            ("1 < 2", true), ("2 <= 1", false), ("2u > 1u", true), ("1.5 >= 1.5", true), ("1 != 2", true),
            ("'a' < 'b'", true), ("'a' == 'a'", true), ("'e\u{301}' == '\u{e9}'", false), ("'Z' < 'a'", true),
            ("'' < 'a'", true),
            ("false < true", true), ("usage.prompt_tokens > 0", true), ("usage.prompt_tokens == 32", true),
            ("usage.prompt_tokens == 32u", true), ("10u < usage.prompt_tokens", true),
            ("32.5 < usage.prompt_tokens", false),
            ("!(1 == 1)", false), ("!!true", true), ("true && false || true", true), ("true || false && false", true),
            ("has(usage.prompt_tokens)", true), ("has(usage.prompt_tokens_details)", true),
            ("has(usage.prompt_tokens_details.cached_tokens)", true), ("has(usage.no_such)", false),
            ("has(usage.prompt_tokens_details.no_such)", false), ("0.0 / 0.0 == 0.0 / 0.0", false),
            ("0.0 / 0.0 != 0.0 / 0.0", true),
        ] as [(String, Bool)]
    )
    func comparisonsAndLogic(text: String, expected: Bool) throws {
        #expect(try value(text) == .bool(expected))
        #expect(try CELExpression(text).type == .bool)
    }

    @Test(arguments: [
        "9223372036854775807 + 1", "-9223372036854775808 - 1", "9223372036854775807 * 2", "1 / 0", "1 % 0", "1u / 0u",
        "-9223372036854775808 / -1", "-9223372036854775808 % -1", "-(-9223372036854775808)", "0u - 1u",
        "18446744073709551615u + 1u", "int(18446744073709551615u)", "int(1e30)", "int(0.0 / 0.0)", "uint(-1)",
        "uint(-0.5)", "uint(1e30)", "1.0 / 0.0 < 0.0 / 0.0", "usage.no_such", "usage.no_such.more", "usage.no_such + 1",
        "has(usage.no_such.more)", "usage.no_such ? 1 : 2", "!usage.no_such", "-usage.no_such",
        "usage.no_such && true", "int(usage.no_such)", "usage.no_such == usage.no_such",
        "1 / 0 == 1 && true", "1 / 0 == 1 || false",
    ])
    func whatHasNoValue(text: String) throws {
        #expect(try value(text) == nil)
    }

    @Test(
        arguments: [
            ("1 / 0 == 1 && false", false), ("false && 1 / 0 == 1", false), ("1 / 0 == 1 || true", true),
            ("true || usage.no_such", true), ("usage.no_such || true", true),
            ("has(usage.no_such) ? usage.no_such > 1 : true", true),
        ] as [(String, Bool)]
    )
    func anErrorThatDecidesNothingIsForgotten(text: String, expected: Bool) throws {
        #expect(try value(text) == .bool(expected))
    }

    @Test(
        arguments: [
            ("usage.prompt_tokens + -", "expected a value, at 1:24 (the end)"),
            ("usage.prompt_tokens > ", "expected a value, at 1:23 (the end)"),
            ("", "expected a value, at 1:1 (the end)"),
            ("1 +\n  * 2", "expected a value, at 2:3 ('*')"), ("(1", "expected ')', at 1:3 (the end)"),
            ("1 2", "expected an operator or the end, at 1:3 ('2')"),
            ("1)", "expected an operator or the end, at 1:2 (')')"),
            ("true ? 1", "expected ':', at 1:9 (the end)"),
            ("usage.", "expected the name of a field, at 1:7 (the end)"),
            ("0X1", "expected an operator or the end, at 1:2 ('X1')"),
            ("usage.5", "expected an operator or the end, at 1:6 ('.5')"),
            ("true ? true ? 1 : 2 : 3", "expected ':', at 1:13 ('?')"),
            ("usage['x']", "no expression has this character here, at 1:6 ('[')"),
            ("1 = 2", "no expression has this character here, at 1:3 ('=')"),
            ("'é' €", "no expression has this character here, at 1:5 ('€')"),
            ("'abc", "the string has no end, at 1:1 (''abc')"),
            (#"'\q'"#, #"the escape sequence is not known here, at 1:2 ('\q')"#),
            ("r'x'", "raw strings and bytes are not known here, at 1:1 ('r'')"),
            ("99999999999999999999", "the number is too large, at 1:1 ('99999999999999999999')"),
            ("9223372036854775808", "the number does not fit 64 bits, at 1:1 ('9223372036854775808')"),
            ("-9223372036854775809", "the number does not fit 64 bits, at 1:1 ('-9223372036854775809')"),
            ("1e999", "the number is too large, at 1:1 ('1e999')"),
            ("tokens", "the name is not known: values are usage, true and false, at 1:1 ('tokens')"),
            ("size('a')", "the function is not known: functions are has, int, uint, double, at 1:1 ('size')"),
            ("has(usage)", "has() needs a field, as in has(usage.prompt_tokens), at 1:5 ('usage')"),
            ("has(1 + 1)", "expected ')', at 1:7 ('+')"),
        ]
    )
    func faultsOfGrammar(text: String, expected: String) {
        #expect(throws: CELFault.self) { try CELExpression(text) }
        do throws(CELFault) { _ = try CELExpression(text) } catch { #expect(error.description == expected) }
    }

    @Test(
        arguments: [
            ("1 + 1.0", "'+' does not go with int and double; convert with int(), uint() or double()", "1 + 1.0"),
            ("2 * (1u + 1)", "'+' does not go with uint and int; convert with int(), uint() or double()", "1u + 1"),
            ("usage.prompt_tokens % 2", "'%' does not go with a token count and int", "usage.prompt_tokens % 2"),
            ("true + 1", "'+' does not go with bool and int", "true + 1"),
            ("'a' - 'b'", "'-' does not go with string and string", "'a' - 'b'"),
            ("1 == '1'", "'==' does not go with int and string", "1 == '1'"),
            (
                "usage.prompt_tokens == 'x'", "'==' does not go with a token count and string",
                "usage.prompt_tokens == 'x'"
            ),
            ("1 && true", "'&&' needs bool on both sides, not int", "1"),
            (
                "true || (usage.prompt_tokens)", "'||' needs bool on both sides, not a token count",
                "(usage.prompt_tokens)"
            ),
            ("!1", "'!' needs bool, not int", "1"), ("-true", "'-' needs a number with a sign, not bool", "true"),
            ("-1u", "'-' needs a number with a sign, not uint", "1u"),
            ("1 ? 2 : 3", "the condition in front of '?' must be bool, not int", "1"),
            ("true ? 1 : 'a'", "'? :' does not go with int and string", "1 : 'a'"),
            ("usage", "a map has no value of its own: select one of prompt_tokens", "usage"),
            ("usage + 1", "a map has no value of its own", "usage"),
            ("usage.prompt_tokens_details", "select one of cached_tokens", "usage.prompt_tokens_details"),
            ("usage.prompt_tokens.more", "a token count has no fields", "usage.prompt_tokens.more"),
            ("1.more", "int has no fields", "1.more"), ("int('1')", "int() needs a number, not string", "'1'"),
            ("has(usage.prompt_tokens.x)", "a token count has no fields", "usage.prompt_tokens.x"),
        ]
    )
    func faultsOfTypes(text: String, message: String, at part: String) {
        do throws(CELFault) {
            _ = try CELExpression(text)
            Issue.record("accepted: \(text)")
        } catch {
            #expect(error.message.contains(message), "\(error)")
            #expect(error.text == part)
        }
    }

    @Test func limits() throws {
        func fault(_ text: String) -> String? {
            do throws(CELFault) {
                _ = try CELExpression(text)
                return nil
            } catch {
                return error.message
            }
        }
        let tooDeep = "operators and brackets nest deeper than 64 levels"
        #expect(fault(String(repeating: "(", count: 60) + "1" + String(repeating: ")", count: 60)) == nil)
        for text in [
            String(repeating: "(", count: 2_000), String(repeating: "!", count: 2_000) + "true",
            String(repeating: "-", count: 2_000) + "usage.prompt_tokens", String(repeating: "int(", count: 1_000),
            String(repeating: "true?1:", count: 500) + "1", String(repeating: "1+", count: 100) + "1",
            String(repeating: "true&&", count: 100) + "true",
        ] {
            #expect(fault(text) == tooDeep, "\(text.prefix(20))")
        }
        #expect(fault(String(repeating: "1+", count: 60) + "1") == nil)
        let spaces = String(repeating: " ", count: CELExpression.bytesMax - 1)
        #expect(fault(spaces + "1") == nil)
        #expect(fault(spaces + "11") == "the expression has 4097 bytes; the limit is 4096")
    }

    @Test func fieldsThatUsageDoesNotHaveAreNamed() throws {
        let text = "has(usage.a) ? usage.a : usage.b.c + (has(usage.d.e) ? 1 : usage.prompt_tokens)"
        #expect(try CELExpression(text).absentFields == ["usage.a", "usage.b", "usage.b.c", "usage.d"])
        #expect(try CELExpression("usage.prompt_tokens").absentFields == [])
    }

    @Test(
        arguments: [
            (.int(5), 5), (.int(.min), Int.min), (.uint(7), 7), (.uint(.max), nil), (.double(2.9), 2),
            (.double(-2.9), -2),
            (.double(.nan), nil), (.double(.infinity), nil), (.double(1e19), nil), (.double(-0.5), 0),
            (.bool(true), nil),
            (.string("1"), nil),
        ] as [(CELValue, Int?)]
    )
    func wholeNumbers(value: CELValue, expected: Int?) {
        #expect(value.wholeNumber == expected)
    }
}
