import BuiltinPlugins
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

    // MARK: Formats of others

    private static let foreign = """
        plugins: [{type: own-parser, name: own}, {type: own-parser, name: spare}, {type: openai-parser}]
        requestHandler: {parsers: [{pluginRef: openai-parser}, {pluginRef: own}, {pluginRef: own}]}
        """

    private var plugins: PluginRegistry {
        var registry = BuiltinCatalogue.registry()
        registry.register(OwnParser.self)
        return registry
    }

    @Test func aFormatOfAPluginIsReadWhereItIsListed() throws {
        let picker = try plan(Self.foreign).pools[0].picker
        let builder = PipelineBuilder(registry: plugins)
        let pipeline = try builder.build(picker, context: PluginContext(clock: SystemMonotonicClock()))
        #expect(pipeline.bodyParsers.map { ($0 as? OwnParser)?.name } == ["own"])
        let plan = try plan(Self.foreign, "requestHandler: {parsers: [{pluginRef: openai-parser}]}")
        #expect(plan.parsers.kinds == [.openAI])
        #expect(plan.parserWarnings.count == 1 && plan.parserWarnings[0].contains("of 'p1' has no effect"))
    }

    @Test func commandsKnowThePluginsTheyAreGiven() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("picker.yaml", PickerText.head + Self.foreign)
        #expect(throws: ConfigurationError.self) { try ConfigurationCheck().run(path: path) }
        let report = try ConfigurationCheck(plugins: plugins).run(path: path)
        #expect(report.canonical.contains("type: own-parser"))
        #expect(try PluginReference(type: "own-parser", in: plugins).details.contains("Reads nothing."))
        #expect(try PluginReference(type: nil, in: plugins).list.contains("own-parser"))
        var options = ServeOptions()
        options.plugins = plugins
        #expect(options.settings.plugins.typeNames.last == "own-parser")
        var picker = EppOptions()
        picker.plugins = plugins
        #expect(picker.settings.plugins.typeNames.last == "own-parser")
    }
}

private struct OwnParser: BodyParser {
    static let descriptor = PluginDescriptor(type: "own-parser", summary: "Reads nothing.")

    let pathSuffixes = ["own"]
    let name: String

    init(parameters: ParameterDecoder, context: inout PluginContext) {
        name = context.pluginName
    }

    func parse(_ body: RawSpan, headers: HeaderMap, path: Substring) throws(Rejection) -> ParsedRequest {
        ParsedRequest()
    }
}
