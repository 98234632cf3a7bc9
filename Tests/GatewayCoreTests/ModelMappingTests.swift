import GatewayCore
import Testing

@Suite struct ModelMappingTests {
    private func entry(_ source: String, _ base: String, _ adapters: String...) -> ModelMapping.Entry {
        ModelMapping.Entry(source: source, baseModel: base, adapters: adapters)
    }

    @Test func adaptersAndBaseModelsAreKnown() {
        let mapping = ModelMapping([entry("a", " llama ", " sql ", "", "chat"), entry("b", "qwen")])
        #expect(mapping.baseModel(of: "sql") == "llama")
        #expect(mapping.baseModel(of: "\tchat\n") == "llama")
        #expect(mapping.baseModel(of: "llama") == "llama")
        #expect(mapping.baseModel(of: "qwen") == "qwen")
        #expect(mapping.baseModel(of: "SQL") == nil && mapping.baseModel(of: "") == nil)
        #expect(mapping.warnings.isEmpty && !mapping.isEmpty)
        #expect(ModelMapping().isEmpty && ModelMapping().baseModel(of: "x") == nil)
    }

    @Test func aBaseModelLivesAsLongAsAMapNamesIt() {
        let (first, second) = (entry("a", "llama", "one"), entry("b", "llama", "two"))
        #expect(ModelMapping([first, second]).baseModel(of: "two") == "llama")
        let left = ModelMapping([second])
        #expect(left.baseModel(of: "llama") == "llama")
        #expect(left.baseModel(of: "one") == nil && left.baseModel(of: "two") == "llama")
        #expect(ModelMapping([]).baseModel(of: "llama") == nil)
    }

    @Test func aRewrittenMapLeavesNothingBehind() {
        #expect(ModelMapping([entry("a", "qwen", "one")]).baseModel(of: "llama") == nil)
    }

    @Test func theFirstMapKeepsAnAdapter() {
        let (first, second) = (entry("ns/a", "llama", "x", "y", "own"), entry("ns/b", "qwen", "y", "x", "other"))
        let mapping = ModelMapping([first, second])
        #expect(mapping.baseModel(of: "x") == "llama" && mapping.baseModel(of: "other") == "qwen")
        #expect(
            mapping.warnings == [
                "The adapter 'y' of ns/b is left out: it already belongs to the base model 'llama' by ns/a; "
                    + "so are 1 more."
            ]
        )
        #expect(ModelMapping([second, first]).baseModel(of: "x") == "qwen")
        #expect(ModelMapping([second]).baseModel(of: "x") == "qwen")
        #expect(ModelMapping([entry("a", "llama", "x", "x")]).warnings.isEmpty)
    }

    @Test func anAdapterComesBeforeABaseModelOfItsName() {
        let mapping = ModelMapping([entry("a", "tuned"), entry("b", "llama", "tuned")])
        #expect(mapping.baseModel(of: "tuned") == "llama")
    }

    @Test func aBaseModelMustFitAHeaderField() {
        let long = String(repeating: "m", count: FieldValueFault.bytesMax + 1)
        let mapping = ModelMapping([entry("a", "x\r\ny", "one"), entry("b", long, "two"), entry("c", " ", "three")])
        #expect(mapping.isEmpty && mapping.warnings.count == 3)
    }

    @Test func fieldValuesAreBounded() {
        #expect(FieldValueFault("") == nil && FieldValueFault("org/модель-1 b") == nil)
        #expect(
            FieldValueFault("a\u{0}") == .controlCharacter(0) && FieldValueFault("\u{7F}") == .controlCharacter(127))
        #expect(FieldValueFault("\n") == .controlCharacter(10))
        let longest = String(repeating: "é", count: FieldValueFault.bytesMax / 2)
        #expect(FieldValueFault(longest) == nil)
        #expect(FieldValueFault(longest + "a") == .tooLong(byteCount: 1_025))
    }

    @Test(arguments: [("", ""), (" \u{A0}\t\n", ""), ("a", "a"), (" a b\u{2003}", "a b"), ("\u{301}x ", "\u{301}x")])
    func whiteSpaceIsTrimmed(text: String, expected: String) {
        #expect(text.trimmingWhitespace() == expected)
    }
}
