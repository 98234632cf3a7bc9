import BuiltinPlugins
import Foundation
import GatewayConfiguration
import GatewayCore
import Testing

@testable import MartletApp

/// What the documentation shows must work: every configuration of `Examples`, and the YAML of the configuration
/// reference.
@Suite("Examples and documented configurations")
struct ExampleTests {
    private static let root = String(#filePath.dropLast("Tests/MartletAppTests/ExampleTests.swift".count))

    /// The names of the example files.
    static let examples: [String] = {
        let names = try? FileManager.default.contentsOfDirectory(atPath: root + "Examples")
        return (names ?? []).filter { $0.hasSuffix(".yaml") }.sorted()
    }()

    /// The configurations that a document shows, in their order: the text between a line "```yaml" and a line "```".
    private static func blocks(in document: String) throws -> [String] {
        let text = try String(contentsOfFile: root + document, encoding: .utf8)
        var blocks: [String] = []
        var block: [Substring]?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line == "```yaml" {
                block = []
            } else if line == "```", let lines = block {
                blocks.append(lines.joined(separator: "\n"))
                block = nil
            } else {
                block?.append(line)
            }
        }
        return blocks
    }

    /// Builds the gateway of `configuration` as far as it goes without a socket.
    ///
    /// - Returns: its warnings, those of its pipelines included.
    private static func plan(_ configuration: ConfigurationSet) throws -> [String] {
        let plan = try GatewayPlan(configuration, options: ServeOptions())
        #expect(!plan.pools.isEmpty)
        #expect(!plan.listeners.isEmpty)
        let builder = PipelineBuilder(registry: BuiltinCatalogue.registry())
        let pipelines = try plan.pools.map { pool in
            try builder.build(pool.picker, context: PluginContext(clock: SystemMonotonicClock()))
        }
        return plan.warnings + pipelines.flatMap(\.warnings).map(\.description)
    }

    @Test("there are examples")
    func examplesExist() {
        #expect(Self.examples.contains("two-pools.yaml") && Self.examples.contains("rollout.yaml"))
    }

    @Test("every example is a gateway without a warning", arguments: Self.examples)
    func example(name: String) throws {
        let warnings = try Self.plan(try ConfigurationSet.load(path: "\(Self.root)Examples/\(name)"))
        #expect(warnings.isEmpty)
    }

    @Test("the YAML blocks of the configuration reference are one configuration without a warning")
    func configurationReference() throws {
        let blocks = try Self.blocks(in: "docs/configuration.md")
        #expect(blocks.count == 9)
        let documents = try blocks.enumerated().flatMap { number, text in
            try YAMLDocumentReader().read(text, file: "configuration.md, block \(number + 1)")
        }
        let warnings = try Self.plan(try ConfigurationSet.decode(documents: documents))
        #expect(warnings.isEmpty)
    }
}
