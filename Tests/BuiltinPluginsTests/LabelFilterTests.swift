import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

@Suite struct LabelFilterTests {
    private static let roles = [
        nil, "", "decode", "prefill", "encode", "prefill-decode", "encode-prefill", "encode-prefill-decode", "both",
        "Decode", "other",
    ]

    /// One endpoint for each role, called like it; the one without is called `none`.
    private func kept(_ filter: some Filter) -> [String] {
        var candidates = Candidates(
            Self.roles.enumerated().map { slot, role in
                .sample(role ?? "none", slot: slot, labels: role.map { ["llm-d.ai/role": $0] } ?? [:])
            }
        )
        var context = SchedulingContext.sample()
        filter.filter(&candidates, context: &context)
        return candidates.positions.map { candidates.all[$0].id.name }
    }

    @Test func rolesServeTheirStages() throws {
        let decoding = ["none", "decode", "prefill-decode", "encode-prefill-decode", "both"]
        #expect(try kept(make(DecodeFilter.self)) == decoding)
        let prefilling = ["prefill", "prefill-decode", "encode-prefill", "encode-prefill-decode", "both"]
        #expect(try kept(make(PrefillFilter.self)) == prefilling)
        #expect(try kept(make(EncodeFilter.self)) == ["encode", "encode-prefill", "encode-prefill-decode"])
    }

    @Test(
        arguments: [
            (["label": "llm-d.ai/role", "validValues": ["decode", "both"]], ["decode", "both"]),
            (["label": "llm-d.ai/role", "validValues": ["decode"], "allowsNoLabel": true], ["none", "decode"]),
            (["label": "llm-d.ai/role", "allowsNoLabel": true], ["none"]),
            // An empty value is a value; a label that is absent has none.
            (["label": "llm-d.ai/role", "validValues": [""]], [""]),
            (["label": "no-such-label", "validValues": ["decode"]], []),
        ] as [(ConfigurationValue, [String])])
    func valuesOfOneLabel(parameters: ConfigurationValue, expected: [String]) throws {
        #expect(try kept(make(ByLabelFilter.self, parameters)) == expected)
    }

    @Test(
        arguments: [
            (["validValues": ["a"]], "required field \"label\" is missing"),
            (["label": ""], "must not be empty"),
            (["label": "a"], "needs at least one value unless allowsNoLabel is true"),
            (["label": "a", "validValues": [1]], "expected text (in quotes)"),
            (["label": "a", "allowNoLabel": true], "did you mean \"allowsNoLabel\"?"),
        ] as [(ConfigurationValue, String)])
    func refusesBadParameters(parameters: ConfigurationValue, message: String) {
        let text = failure(ByLabelFilter.self, parameters)
        #expect(text?.contains(message) == true, "\(text ?? "no error")")
    }

    @Test func olderNamesStay() throws {
        let registry = BuiltinCatalogue.registry()
        #expect(registry["by-label-selector"]?.descriptor.deprecation == "use label-selector-filter")
        #expect(registry["by-label"]?.descriptor.deprecation?.hasPrefix("use label-selector-filter") == true)
        var context = PluginContext(clock: SystemMonotonicClock())
        let alias = try registry.make(
            type: "by-label-selector",
            name: "old",
            parameters: ParameterDecoder(value: ["matchLabels": ["llm-d.ai/role": "both"]]),
            context: &context
        )
        #expect(try kept(#require(alias as? LabelSelectorFilter)) == ["both"])
    }
}

@Suite struct HeaderLabelAffinityTests {
    private let candidates = Candidates([
        .sample("a", slot: 0, labels: ["slice": "one"]),
        .sample("b", slot: 1, labels: ["slice": "two"]),
        .sample("c", slot: 2, labels: ["slice": ""]),
        .sample("d", slot: 3),
    ])

    @Test(
        arguments: [
            ([("x-slice", "two")], [0, 1, 0, 0]),
            ([("X-Slice", "one"), ("x-slice", "two")], [1, 0, 0, 0]),
            ([("x-slice", "ONE")], [0, 0, 0, 0]),
            ([("x-slice", "")], [0, 0, 0, 0]),
            ([("x-other", "one")], [0, 0, 0, 0]),
            ([], [0, 0, 0, 0]),
        ] as [([(String, String)], [Double])])
    func prefersTheNamedLabel(headers: [(String, String)], expected: [Double]) throws {
        let scorer = try make(HeaderLabelAffinityScorer.self, ["headerName": "X-SLICE", "labelKey": "slice"])
        #expect(scores(scorer, candidates, context: .sample(.with(headers: headers))) == expected)
    }

    @Test func refusesBadParameters() {
        let texts: [(ConfigurationValue, String)] = [
            ([:], "required field \"headerName\" is missing"),
            (["headerName": "x"], "required field \"labelKey\" is missing"),
            (["headerName": "x y", "labelKey": "a"], "\"x y\" is not the name of a header field"),
        ]
        for (parameters, message) in texts {
            #expect(failure(HeaderLabelAffinityScorer.self, parameters)?.contains(message) == true, "\(message)")
        }
    }
}
