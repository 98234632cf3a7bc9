import Foundation
import Telemetry
import Testing

@testable import MartletApp

@Suite("martlet metrics")
struct MetricReferenceTests {
    private static let page =
        String(#filePath.dropLast("Tests/MartletAppTests/Metrics/MetricReferenceTests.swift".count)) + "docs/metrics.md"

    @Test("docs/metrics.md is what martlet metrics --markdown writes: `make docs` writes it anew")
    func page() throws {
        let markdown = MetricReference().markdown
        if GoldenCase.isUpdating { try markdown.write(toFile: Self.page, atomically: true, encoding: .utf8) }
        #expect(try String(contentsOfFile: Self.page, encoding: .utf8) == markdown)
    }

    @Test("every metric and every old name has one row, and every histogram its buckets")
    func completeness() {
        let lines = MetricReference().markdown.split(separator: "\n")
        for definition in MetricCatalogue.all {
            #expect(lines.count { $0.hasPrefix("| `\(definition.name)`") } == 1, "\(definition.name)")
            let buckets = lines.count { $0.hasPrefix("- `\(definition.name)`: ") }
            #expect(buckets == (definition.type == .histogram ? 1 : 0), "\(definition.name)")
            if let twin = definition.twin {
                #expect(lines.count { $0.hasPrefix("| `\(twin.name)` ") } == 1, "\(twin.name)")
            }
        }
    }

    @Test("labels that clients choose are marked, and so are histograms with exemplars")
    func marks() throws {
        let lines = MetricReference().markdown.split(separator: "\n")
        let line = try #require(lines.first { $0.hasPrefix("| `llm_d_epp_request_ttft_seconds`") })
        #expect(
            line.hasPrefix(
                "| `llm_d_epp_request_ttft_seconds` ◆ | histogram | seconds | `model_name`*, `target_model_name`*, "
                    + "`fairness_id`*, `priority`, `streaming` | always | "
            )
        )
    }

    @Test("the list has a line for each")
    func list() {
        let lines = MetricReference().list.split(separator: "\n")
        #expect(lines.count == MetricCatalogue.all.count)
        #expect(lines.contains("martlet_proxy_connections_open gauge {side}"))
        #expect(lines.contains("martlet_leader gauge"))
    }
}
