import GatewayCore
import Testing

@testable import GatewayConfiguration

@Suite struct ConfigMapTests {
    /// A ConfigMap with the lines of `data` indented below its key.
    private func map(
        _ data: String,
        name: String = "llama",
        labels: String = #"{inference.networking.k8s.io/bbr-managed: "true"}"#
    ) -> String {
        let indented = data.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\n  ")
        return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \(name), labels: \(labels)}\ndata:\n  \(indented)\n"
    }

    @Test func readsBaseModelAndAdapters() throws {
        let text =
            map("baseModel: \" meta/Llama-3 \"\nadapters: |\n  - sql\n  - ' chat '\n  - ''\n  - \"7\"") + "---\n"
            + map("baseModel: qwen", name: "qwen") + "immutable: true\n---\n"
            + map(#"baseModel: "1"\#nadapters: "[a, b]""#, name: "flow")
        let set = try SampleConfiguration.decode(text)
        #expect(set.warnings.isEmpty)
        #expect(set.modelMaps.map(\.metadata.id.name) == ["llama", "qwen", "flow"])
        #expect(set.modelMaps.map(\.baseModel) == ["meta/Llama-3", "qwen", "1"])
        #expect(set.modelMaps.map(\.adapters) == [["sql", "chat", "7"], [], ["a", "b"]])
        #expect(set.modelMaps[0].entry.source == "ConfigMap default/llama")
        let mapping = ModelMapping(set.modelMaps.map(\.entry))
        #expect(mapping.baseModel(of: "chat") == "meta/Llama-3" && mapping.baseModel(of: "b") == "1")
    }

    @Test(arguments: ["''", "'# a comment'", "null", "\"--- \\n\"", "'[]'"])
    func aMapMayHaveNoAdapters(adapters: String) throws {
        let set = try SampleConfiguration.decode(map("baseModel: b\nadapters: \(adapters)"))
        #expect(set.modelMaps.map(\.adapters) == [[]])
    }

    @Test(arguments: ["{}", #"{inference.networking.k8s.io/bbr-managed: "false"}"#, "{bbr-managed: 'true'}"])
    func aMapWithoutTheLabelIsSomebodyElses(labels: String) throws {
        let set = try SampleConfiguration.decode(map("anything: [1]", labels: labels))
        #expect(set.modelMaps.isEmpty)
        #expect(
            set.warnings.map(\.description) == [
                #"f.yaml:2:1: kind: is not read: it has no label inference.networking.k8s.io/bbr-managed: "true""#
            ]
        )
    }

    @Test(
        arguments: [
            ("adapters: x", [#"f.yaml:5:3: data.baseModel: required field "baseModel" is missing"#]),
            ("baseModel: ''", [#"data.baseModel: must not be empty"#]),
            ("baseModel: \" \"", [#"f.yaml:5:3: data.baseModel: a base model needs a name, found " ""#]),
            (#"baseModel: "a\tb""#, [#""a\tb" has the control character 9, which no header field may have"#]),
            ("baseModel: 1", ["f.yaml:5:14: data.baseModel: expected text (in quotes), found 1"]),
            ("baseModel: b\nadapter: ''", [#"f.yaml:6:3: data.adapter: unknown field "adapter" (did you mean "#]),
            ("baseModel: b\nadapters: [a]", ["data.adapters: expected text, found a list of 1"]),
            ("baseModel: b\nadapters: a", [#"expected a YAML list of texts within the text, found "a""#]),
            ("baseModel: b\nadapters: \"{a: b}\"", ["within the text, found an object of 1"]),
            ("baseModel: b\nadapters: \"[a]\\n---\\n[b]\"", ["within the text, found 2 documents"]),
            ("baseModel: b\nadapters: |\n  - a\n  - [", ["f.yaml:6:3: data.adapters: the list of adapters "]),
            ("baseModel: b\nadapters: '[1, [a]]'", ["adapter 0 must be text", "adapter 1 must be"]),
        ])
    func refusesWhatIsNoMap(data: String, messages: [String]) {
        let problems = SampleConfiguration.problems(map(data)).joined(separator: "\n")
        for message in messages { #expect(problems.contains(message), "\(problems)") }
    }

    @Test func refusesASecondMapOfAName() {
        let problems = SampleConfiguration.problems(map("baseModel: a") + "---\n" + map("baseModel: b"))
        #expect(problems.count == 1 && problems[0].contains("a second ConfigMap default/llama"))
    }

    @Test func aliasesInTheListDoNotBlowUp() {
        var list = "- &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1..<9 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
            list += "    - &a\(level) [\(aliases)]\n"
        }
        let problems = SampleConfiguration.problems(map("baseModel: b\nadapters: |\n    \(list)"))
        #expect(problems.first?.contains("more than 100000 values") == true, "\(problems)")
    }
}
