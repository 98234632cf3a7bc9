import Testing

@testable import GatewayCore

@Suite struct PluginOutlineTests {
    private static let key = DataKey<Int>("Sample", defaultProducer: "sample-producer")

    private static let registry: PluginRegistry = {
        var registry = PluginRegistry()
        registry.register(Particular.self)
        registry.registerUnavailable(PluginDescriptor(type: "missing", summary: "Missing."))
        return registry
    }()

    /// Cannot do without most of its parameters, and gives up at the first that is wrong.
    private struct Particular: Plugin {
        static let descriptor = PluginDescriptor(type: "particular", summary: "A sample.")

        init(parameters: ParameterDecoder, context: inout PluginContext) throws {
            _ = context.produce(DataKey<String>("Text"))
            _ = context.consume(
                PluginOutlineTests.key, producer: parameters.string("producerName"), requirement: .optional
            )
            _ = parameters.requiredInt("count", in: 1...9)
            if parameters.contains("size") { _ = parameters.int("size", default: 3) }
            _ = parameters.int("size", default: parameters.contains("small") ? 1 : 2)
            let nested = parameters.requiredObject("nested")
            _ = nested.requiredString("name")
            for deep in nested.objects("deep") { _ = deep.doubles("numbers", in: 0...1) }
            guard parameters.array("raw").isEmpty, parameters.problems.isEmpty, !nested.keys.isEmpty else {
                throw parameters.error("it does not like them")
            }
            _ = parameters.bool("afterwards")
        }
    }

    @Test func keysAreInTheOrderOfTheirReading() throws {
        let outline = try #require(Self.registry.outline(of: "particular"))
        #expect(
            outline.parameters.fields.map(\.key) == ["producerName", "count", "size", "small", "nested", "raw"]
        )
    }

    @Test func whatIsAskedForSurvivesTheRefusal() throws {
        let fields = try #require(Self.registry.outline(of: "particular")).parameters.fields
        let count = try #require(fields.first { $0.key == "count" })
        #expect(count.kind == .integer)
        #expect(count.isRequired)
        #expect(count.minimum == 1)
        #expect(count.maximum == 9)
        let size = try #require(fields.first { $0.key == "size" })
        #expect(size.kind == .integer)
        #expect(size.fallback == 2)
        #expect(size.minimum == nil)
        #expect(fields.first { $0.key == "raw" }?.kind == .list(.any))
    }

    @Test func nestedKeysAreAskedFor() throws {
        let fields = try #require(Self.registry.outline(of: "particular")).parameters.fields
        let nested = try #require(fields.first { $0.key == "nested" })
        #expect(nested.isRequired)
        guard case .object(let schema) = nested.kind else { throw TestFailure("\(nested.kind) is no object") }
        #expect(schema.fields.map(\.key) == ["name", "deep"])
        guard case .list(.object(let deep)) = schema.fields[1].kind else {
            throw TestFailure("\(schema.fields[1].kind) is no list of objects")
        }
        #expect(deep.fields.map(\.kind) == [.list(.number)])
        #expect(deep.fields[0].maximum == 1.0)
    }

    @Test func dataIsThatOfTheDefaults() throws {
        let outline = try #require(Self.registry.outline(of: "particular"))
        #expect(outline.produced.map(\.key) == ["Text/particular"])
        #expect(outline.consumed.map(\.key) == ["Sample/sample-producer"])
        #expect(outline.consumed.map(\.requirement) == [.optional])
    }

    @Test func typesThatCannotBeMadeAskForNothing() throws {
        #expect(try #require(Self.registry.outline(of: "missing")).parameters.fields.isEmpty)
        #expect(Self.registry.outline(of: "nobody") == nil)
    }

    private struct TestFailure: Error {
        let message: String

        init(_ message: String) {
            self.message = message
        }
    }
}
