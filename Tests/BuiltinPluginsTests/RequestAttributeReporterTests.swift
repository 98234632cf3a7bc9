import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

@Suite struct RequestAttributeReporterTests {
    private func parameters(
        _ expression: ConfigurationValue,
        condition: ConfigurationValue = nil,
        key: ConfigurationValue = ["name": "cost"]
    ) -> ConfigurationValue {
        ["attributes": [["key": key, "expression": expression, "condition": condition]]]
    }

    private func report(
        _ parameters: ConfigurationValue,
        prompt: Int = 0,
        completion: Int = 0,
        cached: Int = 0
    ) throws -> [ReportedNumber] {
        let usage = TokenUsage(promptTokens: prompt, completionTokens: completion, cachedTokens: cached)
        return try make(RequestAttributeReporter.self, parameters).report(usage, of: .sample())
    }

    @Test func theNumberGoesUnderItsName() throws {
        let number = try report(parameters("usage.prompt_tokens"), prompt: 15)
        #expect(number == [ReportedNumber(namespace: "envoy.lb", name: "cost", value: 15)])
        for (namespace, expected) in [("custom", "custom"), ("", "envoy.lb")] {
            let key: ConfigurationValue = ["namespace": .init(stringLiteral: namespace), "name": "x"]
            let number = try report(parameters("1", key: key))
            #expect(number == [ReportedNumber(namespace: expected, name: "x", value: 1)])
        }
    }

    @Test(
        arguments: [
            ("usage.prompt_tokens + usage.completion_tokens", 42), ("usage.total_tokens\n", 42),
            ("usage.prompt_tokens_details.cached_tokens", 16), ("usage.prompt_tokens / 3", 10),
            ("usage.prompt_tokens - usage.prompt_tokens_details.cached_tokens + 4 * usage.completion_tokens", 56),
            ("usage.prompt_tokens * 1.5", 48), ("usage.prompt_tokens - usage.total_tokens", -10),
            ("usage.completion_tokens - 11.9", -1), ("7u", 7), ("usage.completion_tokens / 100", nil), ("0", nil),
            ("usage.prompt_tokens - 32", nil), ("usage.prompt_tokens / 0", nil), ("1 / 0", nil),
            ("usage.prompt_tokens * 1e300", nil), ("9223372036854775807 + 1", nil), ("usage.no_such", nil),
            ("(has(usage.prompt_tokens) ? usage.prompt_tokens : 0) + (has(usage.x) ? usage.x : 0)", 32),
        ] as [(String, Int?)]
    )
    func numbers(expression: String, expected: Int?) throws {
        let found = try report(parameters(.init(stringLiteral: expression)), prompt: 32, completion: 10, cached: 16)
        #expect(found.map(\.value) == expected.map { [$0] } ?? [])
    }

    @Test(
        arguments: [
            ("usage.completion_tokens > 0", true), ("usage.completion_tokens > 10", false), ("1 / 0 == 1", false),
            ("has(usage.completion_tokens) && has(usage.prompt_tokens)", true), ("usage.no_such", false), ("", true),
        ]
    )
    func conditions(condition: String, isReported: Bool) throws {
        let parameters = parameters("usage.prompt_tokens", condition: .init(stringLiteral: condition))
        #expect(try report(parameters, prompt: 3, completion: 10).isEmpty == !isReported)
    }

    @Test(
        arguments: [
            ([:], "exactly one entry is needed, found 0"), (["attributes": []], "exactly one entry is needed, found 0"),
            (
                [
                    "attributes": [
                        ["key": ["name": "a"], "expression": "1"], ["key": ["name": "b"], "expression": "1"],
                    ]
                ], "exactly one entry is needed, found 2"
            ),
            (["attributes": [["expression": "1"]]], "required field \"key\" is missing"),
            (["attributes": [["key": [:], "expression": "1"]]], "required field \"name\" is missing"),
            (["attributes": [["key": ["name": ""], "expression": "1"]]], "must not be empty"),
            (["attributes": [["key": ["name": "a"]]]], "required field \"expression\" is missing"),
            (["attributes": [["key": ["name": "a"], "expression": ""]]], "must not be empty"),
            (
                ["attributes": [["key": ["name": "a"], "expression": "usage.prompt_tokens + -"]]],
                "attributes[0].expression: expected a value, at 1:24 (the end)"
            ),
            (
                ["attributes": [["key": ["name": "a"], "expression": "1", "condition": "usage.prompt_tokens > "]]],
                "attributes[0].condition: expected a value, at 1:23 (the end)"
            ),
            (
                ["attributes": [["key": ["name": "a"], "expression": "'not a number'"]]],
                "must give a number, not string: ''not a number''"
            ),
            (
                ["attributes": [["key": ["name": "a"], "expression": "1", "condition": "usage.prompt_tokens"]]],
                "must give bool, not a token count: 'usage.prompt_tokens'"
            ),
            (
                ["attributes": [["key": ["name": "a"], "expression": "1", "conditions": "x"]]],
                "did you mean \"condition\"?"
            ),
        ] as [(ConfigurationValue, String)])
    func refusesWhatCannotBeReported(parameters: ConfigurationValue, message: String) {
        let text = failure(RequestAttributeReporter.self, parameters)
        #expect(text?.contains(message) == true, "\(text ?? "no error")")
    }

    @Test func aFieldThatNobodyTellsIsWarnedOf() throws {
        let decoder = ParameterDecoder(value: parameters("usage.promt_tokens"), path: "parameters")
        var context = PluginContext(clock: SystemMonotonicClock())
        _ = RequestAttributeReporter(parameters: decoder, context: &context)
        #expect(decoder.problems.isEmpty)
        #expect(
            decoder.warnings.map(\.message) == [
                "no response has usage.promt_tokens, so that nothing is reported where it is read"
            ])
    }
}
