import GatewayConfiguration
import GatewayCore
import RequestFormats
import Testing

@testable import MartletApp

/// Which formats of requests are read.
@Suite struct ParserTests {
    private func plan(_ pickers: String...) throws -> GatewayPlan {
        let options = ServeOptions()
        var plan = try GatewayPlan(options: options, simulated: [])
        plan.pools = try pickers.enumerated().map { index, text in
            GatewayPlan.Pool(
                id: PoolID(name: "p\(index)"),
                endpoints: [],
                picker: text.isEmpty
                    ? .builtinDefault
                    : try EndpointPickerConfiguration.decode(text: PickerText.head + text, file: "test")
            )
        }
        return plan
    }

    @Test func whatAConfigurationLists() throws {
        #expect(try plan("").parsers.kinds == RequestParserSet.standard.kinds)
        let listed = try plan(
            """
            plugins: [{type: passthrough-parser, name: rest}, {type: openai-parser}]
            requestHandler: {parsers: [{pluginRef: openai-parser}, {pluginRef: rest}, {pluginRef: openai-parser}]}
            """
        )
        #expect(listed.parsers.kinds == [.openAI, .passthrough])
        #expect(listed.parserWarnings.count == 1 && listed.parserWarnings[0].contains("openai-parser has no effect"))
    }

    @Test func onePoolSpeaksForAll() throws {
        let only = "requestHandler: {parsers: [{pluginRef: passthrough-parser}]}"
        let plan = try plan(only, "", only)
        #expect(plan.parsers.kinds == [.passthrough])
        #expect(plan.parserWarnings.count == 1 && plan.parserWarnings[0].contains("of 'p1' has no effect"))
    }
}
