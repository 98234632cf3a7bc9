import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

@Suite struct LabelSelectorFilterTests {
    private let candidates = Candidates([
        .sample("plain", slot: 0),
        .sample("prefill", slot: 1, labels: ["role": "prefill", "zone": "a"]),
        .sample("decode", slot: 2, labels: ["role": "decode", "zone": "b"]),
        .sample("empty", slot: 3, labels: ["role": ""]),
    ])

    private func kept(_ parameters: ConfigurationValue?) throws -> [String] {
        var (candidates, context) = (candidates, SchedulingContext.sample())
        try make(LabelSelectorFilter.self, parameters).filter(&candidates, context: &context)
        return candidates.positions.map { candidates.all[$0].id.name }
    }

    private func expression(_ comparison: String, _ values: ConfigurationValue? = nil) -> ConfigurationValue {
        let entry: ConfigurationValue =
            if let values {
                ["key": "role", "operator": .init(stringLiteral: comparison), "values": values]
            } else {
                ["key": "role", "operator": .init(stringLiteral: comparison)]
            }
        return ["matchExpressions": [entry]]
    }

    @Test func keepsWhatMatches() throws {
        #expect(try kept(nil) == ["plain", "prefill", "decode", "empty"])
        #expect(try kept(["matchLabels": ["role": "prefill"]]) == ["prefill"])
        #expect(try kept(["matchLabels": ["role": "prefill", "zone": "b"]]) == [])
        #expect(try kept(["matchLabels": ["role": ""]]) == ["empty"])
        #expect(try kept(expression("In", ["prefill", "decode"])) == ["prefill", "decode"])
        #expect(try kept(expression("NotIn", ["prefill"])) == ["plain", "decode", "empty"])
        #expect(try kept(expression("Exists")) == ["prefill", "decode", "empty"])
        #expect(try kept(expression("DoesNotExist")) == ["plain"])
    }

    @Test func everyRequirementCounts() throws {
        let parameters: ConfigurationValue = [
            "matchLabels": ["zone": "b"],
            "matchExpressions": [["key": "role", "operator": "NotIn", "values": ["prefill"]]],
        ]
        #expect(try kept(parameters) == ["decode"])
    }

    @Test(
        arguments: [
            (["matchExpressions": [["key": "a", "operator": "in", "values": ["b"]]]], "did you mean \"In\"?"),
            (["matchExpressions": [["key": "a", "operator": "In"]]], "operator In needs at least one value"),
            (["matchExpressions": [["key": "a", "operator": "Exists", "values": ["b"]]]], "Exists takes no values"),
            (["matchExpressions": [["operator": "Exists"]]], "required field \"key\" is missing"),
            (["matchExpressions": [["key": "a"]]], "required field \"operator\" is missing"),
            (["matchLabel": ["a": "b"]], "did you mean \"matchLabels\"?"),
        ] as [(ConfigurationValue, String)])
    func refusesWhatIsNoSelector(parameters: ConfigurationValue, message: String) {
        let text = failure(LabelSelectorFilter.self, parameters)
        #expect(text?.contains(message) == true, "\(text ?? "no error")")
    }
}
