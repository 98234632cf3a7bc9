import BuiltinPlugins
import Foundation
import GatewayConfiguration
import GatewayCore
import Testing

@testable import MartletApp

@Suite("martlet plugins")
struct PluginReferenceTests {
    private static let page =
        String(#filePath.dropLast("Tests/MartletAppTests/Plugins/PluginReferenceTests.swift".count))
        + "docs/plugins.md"

    private func reference(_ type: String? = nil) throws -> PluginReference {
        try PluginReference(type: type)
    }

    @Test("docs/plugins.md is what martlet plugins --markdown writes: `make docs` writes it anew")
    func page() throws {
        let markdown = try reference().markdown
        if GoldenCase.isUpdating { try markdown.write(toFile: Self.page, atomically: true, encoding: .utf8) }
        #expect(try String(contentsOfFile: Self.page, encoding: .utf8) == markdown)
    }

    @Test("every type is in the list, on the page and in the JSON once")
    func completeness() throws {
        let all = try reference()
        let types = BuiltinCatalogue.registry().typeNames
        #expect(all.groups.flatMap(\.plugins).count == types.count)
        let json = try #require(try JSONSerialization.jsonObject(with: Data(all.json.utf8)) as? [[String: Any]])
        #expect(json.compactMap { $0["type"] as? String } == types)
        for type in types {
            #expect(all.list.split(separator: "\n").count { $0.hasPrefix("  \(type) ") } == 1, "\(type)")
            #expect(all.markdown.contains("### \(type)\n") || all.markdown.contains("| `\(type)` |"), "\(type)")
        }
    }

    @Test("one type with its parameters")
    func details() throws {
        #expect(
            try Self.sample().details == """
                sample-filter
                  A sample.

                  acts as    filter
                  stability  alpha

                  parameter        kind             default    range
                  share            number           0.5        0 to 1
                  limit            whole number                at least 0
                  mode             choice           fast       fast, slow
                  window           duration         5s         1s to 1m0s
                  old              any              no effect
                  rules            list of objects
                  rules[].names    list of texts
                  rules[].labels   object of texts
                  backend          object
                  backend.url      text             required
                  backend.maximum  amount           1000       at least 0

                """
        )
        #expect(try reference("queue-scorer").details.hasSuffix("  no parameters\n"))
        #expect(try reference("precise-prefix-cache-scorer").details.contains("KV-cache events"))
    }

    @Test("one type as Markdown")
    func markdown() throws {
        let markdown = try Self.sample().markdown
        #expect(markdown.hasPrefix("### sample-filter\n\nA sample. Alpha: needs `--allow-experimental-plugins`.\n\n"))
        #expect(markdown.contains("| `share` | number | 0.5 | 0 to 1 |\n"))
        #expect(markdown.contains("| `rules[].names` | list of texts |  |  |\n"))
    }

    @Test("one type as JSON")
    func json() throws {
        let json = try Self.sample().json
        #expect(
            json.contains(
                #"{"key":"share","kind":"number","required":false,"default":0.5,"minimum":0.0,"maximum":1.0,"#
                    + #""has_effect":true}"#
            )
        )
        #expect(json.contains(#""kind":"choice","choices":["fast","slow"],"required":false,"default":"fast""#))
        #expect(json.contains(#""kind":"list of objects","parameters":[{"key":"names","#))
    }

    private static func sample() throws -> PluginReference {
        var registry = PluginRegistry()
        registry.register(SampleFilter.self)
        return PluginReference([try #require(registry.description(of: "sample-filter"))])
    }

    @Test("what a plugin reads and writes of a request's data")
    func data() throws {
        #expect(
            try reference("prefix-cache-scorer").details.contains(
                "reads      PrefixCacheMatchInfo of approx-prefix-cache-producer\n"
            )
        )
        #expect(try reference("approx-prefix-cache-producer").details.contains("produces   PrefixCacheMatchInfo"))
    }

    @Test("an unknown type gets the nearest known one")
    func unknownType() {
        let error = #expect(throws: CommandError.self) { try PluginReference(type: "queue-scorr") }
        #expect(error?.description.contains("did you mean 'queue-scorer'?") == true)
    }
}

/// Asks for parameters of every form.
private struct SampleFilter: Filter {
    static let descriptor = PluginDescriptor(type: "sample-filter", stability: .alpha, summary: "A sample.")

    private enum Mode: String, CaseIterable {
        case fast
        case slow
    }

    init(parameters: ParameterDecoder, context: inout PluginContext) {
        _ = parameters.double("share", default: 0.5, in: 0...1)
        _ = parameters.int("limit", in: 0...(.max))
        _ = parameters.enumeration("mode", default: Mode.fast)
        _ = parameters.duration("window", default: .seconds(5), in: .seconds(1) ... .seconds(60))
        parameters.acceptWithoutEffect("old", because: "it is old")
        for rule in parameters.objects("rules") {
            _ = rule.strings("names")
            _ = rule.stringMap("labels")
        }
        let backend = parameters.object("backend")
        _ = backend?.requiredString("url")
        _ = backend?.quantity("maximum", default: 1_000)
    }

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {}
}
