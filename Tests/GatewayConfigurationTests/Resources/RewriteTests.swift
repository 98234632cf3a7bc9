import GatewayCore
import Testing

@testable import GatewayConfiguration

/// InferenceModelRewrites and InferenceModels of one pool: which of them hold, and what is said of those that do not.
@Suite struct RewriteTests {
    private static let pool = """
        apiVersion: inference.networking.k8s.io/v1
        kind: InferencePool
        metadata: {name: p}
        spec: {selector: {matchLabels: {a: b}}, targetPorts: [{number: 1}]}
        ---
        endpoints: [{name: e, address: 10.0.0.1, port: 1, labels: {a: b}}]

        """

    private func rewrite(_ name: String, _ rules: String, metadata: String = "") -> String {
        """
        ---
        apiVersion: llm-d.ai/v1alpha2
        kind: InferenceModelRewrite
        metadata: {name: \(name)\(metadata)}
        spec: {poolRef: {name: p}, rules: [\(rules)]}

        """
    }

    private func model(_ name: String, _ spec: String, metadata: String = "") -> String {
        """
        ---
        apiVersion: inference.networking.x-k8s.io/v1alpha2
        kind: InferenceModel
        metadata: {name: \(name)\(metadata)}
        spec: {poolRef: {name: p}, \(spec)}

        """
    }

    private func time(_ day: Int) -> String { ", creationTimestamp: \"2026-01-0\(day)T00:00:00Z\"" }

    private func decode(_ documents: String...) throws -> ConfigurationSet {
        try SampleConfiguration.decode(Self.pool + documents.joined())
    }

    private func names(_ set: ConfigurationSet) -> [String] {
        set.rewrites(of: ResourceName(name: "p")).map(\.metadata.id.name)
    }

    @Test func theOldestComesFirstThenTheOrderOfTheFiles() throws {
        let set = try decode(
            rewrite("z", "{matches: [{model: {value: z}}], targets: [{modelRewrite: t}]}"),
            model("y", "modelName: y, targetModels: [{name: t}]"),
            rewrite("c", "{matches: [{model: {value: c}}], targets: [{modelRewrite: t}]}", metadata: time(2)),
            rewrite("b", "{matches: [{model: {value: b}}], targets: [{modelRewrite: t}]}", metadata: time(2)),
            model("a", "modelName: a, targetModels: [{name: t}]", metadata: time(1)),
            rewrite("x", "{matches: [{model: {value: x}}], targets: [{modelRewrite: t}]}")
        )
        #expect(names(set) == ["a", "b", "c", "z", "y", "x"])
        #expect(set.warnings.isEmpty)
        #expect(set.rewrites(of: ResourceName(name: "other")).isEmpty)
    }

    @Test func rulesThatNeverHoldAreTold() throws {
        let set = try decode(
            rewrite("old", "{matches: [{model: {value: m}}, {model: {value: m}}], targets: [{modelRewrite: t}]}"),
            rewrite("new", "{matches: [{model: {value: n}}, {model: {value: m}}], targets: [{modelRewrite: t}]}"),
            rewrite("all", "{targets: [{modelRewrite: t}]}, {targets: [{modelRewrite: u}]}")
        )
        #expect(
            set.warnings.map(\.description) == [
                "f.yaml:16:36: spec.rules[0]: the rule for the model \"m\" has no effect: that at f.yaml:11:36 goes "
                    + "before",
                "f.yaml:21:68: spec.rules[1]: the rule for every request has no effect: that at f.yaml:21:36 goes "
                    + "before",
            ]
        )
    }

    @Test func ofTwoInferenceModelsForAModelTheOlderHolds() throws {
        let set = try decode(
            model("young", "modelName: m, criticality: Critical, targetModels: [{name: t}]"),
            model("old", "modelName: m, criticality: Sheddable", metadata: time(1))
        )
        #expect(set.effectiveModels.map(\.metadata.id.name) == ["old"])
        #expect(names(set).isEmpty, "the older one has no target models: the model serves itself")
        #expect(
            set.warnings.map(\.description) == [
                "f.yaml:10:12: spec.modelName: \"m\" is the model of another InferenceModel of the pool, which goes "
                    + "before: this one has no effect"
            ]
        )
    }

    @Test(arguments: [
        ("martlet.dev/sticky-by-header: x-session-id", nil), ("example.com/other: [1]", nil),
        (
            "martlet.dev/sticky-by-headr: x",
            "f.yaml:10:21: metadata.annotations: unknown annotation \"martlet.dev/sticky-by-headr\" (did you mean "
                + "\"martlet.dev/sticky-by-header\"?)"
        ),
        (
            "martlet.dev/sticky-by-header: \"x y\"",
            "f.yaml:10:21: metadata.annotations: martlet.dev/sticky-by-header: \"x y\" is not the name of a header "
                + "field"
        ),
    ])
    func annotations(annotation: String, problem: String?) {
        let text = rewrite("r", "{targets: [{modelRewrite: t}]}", metadata: ", annotations: {\(annotation)}")
        #expect(SampleConfiguration.problems(Self.pool + text) == [problem].compactMap(\.self))
    }

    @Test func theAnnotationMeansNothingElsewhere() throws {
        let annotation = ", annotations: {martlet.dev/sticky-by-header: x}"
        let set = try SampleConfiguration.decode(Self.pool.replacing("name: p}", with: "name: p\(annotation)}"))
        #expect(set.warnings.map(\.message) == ["its annotation for rewrites has no effect: it is not one"])
        let sticky = try decode(model("m", "modelName: m, targetModels: [{name: t}]", metadata: annotation))
        #expect(sticky.warnings.isEmpty)
        #expect(sticky.rewrites(of: ResourceName(name: "p")).map(\.stickyHeader) == ["x"])
    }

    @Test(arguments: [
        ("{matches: [{model: {value: \"a\\nb\"}}], targets: [{modelRewrite: t}]}", "has the control character 10"),
        ("{targets: [{modelRewrite: \"\"}]}", "must not be empty"),
        ("{targets: [{modelRewrite: \(String(repeating: "m", count: 1_025))}]}", "at most 1024 bytes, not 1025"),
    ])
    func namesThatNoRequestCanHave(rule: String, problem: String) {
        let problems = SampleConfiguration.problems(Self.pool + rewrite("r", rule))
        #expect(problems.count == 1 && problems[0].contains(problem), "\(problems)")
    }

    @Test func kindsHaveNamesOfTheirOwn() {
        let rule = "{matches: [{model: {value: m}}], targets: [{modelRewrite: t}]}"
        #expect(SampleConfiguration.problems(Self.pool + rewrite("x", rule) + model("x", "modelName: n")).isEmpty)
        let twice = SampleConfiguration.problems(Self.pool + model("x", "modelName: m") + model("x", "modelName: n"))
        #expect(twice.count == 1 && twice[0].contains("a second InferenceModel default/x"))
        let lost = model("x", "modelName: m").replacing("name: p}", with: "name: q}")
        #expect(SampleConfiguration.problems(Self.pool + lost).first?.contains("no InferencePool default/q") == true)
    }
}
