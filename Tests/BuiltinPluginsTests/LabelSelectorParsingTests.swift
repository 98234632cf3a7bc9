import Testing

@testable import BuiltinPlugins

@Suite struct LabelSelectorParsingTests {
    private typealias Requirement = LabelSelector.Requirement

    @Test(
        arguments: [
            ("", []),
            ("  ", []),
            ("a", [Requirement(key: "a", comparison: .exists, values: [])]),
            ("!a", [Requirement(key: "a", comparison: .doesNotExist, values: [])]),
            (" ! a ", [Requirement(key: "a", comparison: .doesNotExist, values: [])]),
            ("a=b", [Requirement(key: "a", comparison: .isIn, values: ["b"])]),
            ("a == b", [Requirement(key: "a", comparison: .isIn, values: ["b"])]),
            ("a=", [Requirement(key: "a", comparison: .isIn, values: [""])]),
            ("a!=b", [Requirement(key: "a", comparison: .isNotIn, values: ["b"])]),
            ("a in (b, c,d)", [Requirement(key: "a", comparison: .isIn, values: ["b", "c", "d"])]),
            ("a notin(b)", [Requirement(key: "a", comparison: .isNotIn, values: ["b"])]),
            (
                "x.io/y=1-2_3, z,!in",
                [
                    Requirement(key: "x.io/y", comparison: .isIn, values: ["1-2_3"]),
                    Requirement(key: "z", comparison: .exists, values: []),
                    Requirement(key: "in", comparison: .doesNotExist, values: []),
                ]
            ),
        ] as [(String, [LabelSelector.Requirement])])
    func readsWhatKubectlTakes(text: String, expected: [LabelSelector.Requirement]) throws {
        #expect(try LabelSelector(parsing: text).requirements == expected)
    }

    @Test(arguments: [
        (",", "expected a label's key, found ','"),
        ("a,", "expected a label's key, found the end"),
        ("!", "expected a label's key, found the end"),
        ("a b", "expected =, ==, !=, in or notin, found 'b'"),
        ("a>5", "expected =, ==, !=, in or notin, found '>'"),
        ("a=b c", "expected a comma, found 'c'"),
        ("a in b", "expected (, found 'b'"),
        ("a in (b", "expected a comma or ), found the end"),
        ("a in (b c)", "expected a comma or ), found 'c'"),
        ("=b", "expected a label's key, found '='"),
    ])
    func refusesEverythingElse(text: String, message: String) {
        #expect {
            try LabelSelector(parsing: text)
        } throws: { error in
            "\(error)" == "'\(text)' is not a label selector: \(message)"
        }
    }

    @Test func matchesAsItSays() throws {
        let selector = try LabelSelector(parsing: "app=x,track notin (old),!draining")
        #expect(selector.matches(["app": "x"]))
        #expect(selector.matches(["app": "x", "track": "new"]))
        #expect(!selector.matches(["app": "x", "track": "old"]))
        #expect(!selector.matches(["app": "x", "draining": ""]))
        #expect(!selector.matches([:]))
    }
}
