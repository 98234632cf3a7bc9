import Testing

@testable import Telemetry

@Suite struct ExemplarTests {
    private static let traceID = "0af7651916cd43dd8448eb211c80319c"

    private func trace(_ span: String = "b7ad6b7169203331", sampled: Bool = true) throws -> TraceContext {
        try #require(TraceContext("00-\(Self.traceID)-\(span)-0\(sampled ? 1 : 0)"))
    }

    private func registry() throws -> (MetricRegistry, HistogramFamily) {
        let registry = MetricRegistry(writesDeprecated: true)
        let definition = MetricDefinition(
            name: "h_seconds", type: .histogram, unit: .seconds, labels: ["m"], buckets: [0.5, 1], help: "H.",
            twin: DeprecatedTwin("old_seconds", labels: ["m"])
        )
        return (registry, try registry.histograms(definition))
    }

    private func lines(_ registry: MetricRegistry, _ format: ExpositionFormat) -> [Substring] {
        String(decoding: registry.page(format), as: UTF8.self).split(separator: "\n")
    }

    @Test func eachBucketShowsItsLastSampledRequest() throws {
        let (registry, family) = try registry()
        let histogram = family.child("x")
        histogram.observe(0.2, exemplar: try trace("00000000000000aa"), atMilliseconds: 1_700_000_000_123)
        histogram.observe(0.25, exemplar: try trace(), atMilliseconds: 1_700_000_000_005)
        histogram.observe(7, exemplar: try trace("00000000000000bb"), atMilliseconds: 1_700_000_001_000)
        histogram.observe(0.75)
        let labels = "trace_id=\"\(Self.traceID)\",span_id="
        #expect(
            lines(registry, .openMetrics).filter { $0.hasPrefix("h_seconds_bucket") } == [
                "h_seconds_bucket{m=\"x\",le=\"0.5\"} 2 # {\(labels)\"b7ad6b7169203331\"} 0.25 1700000000.005",
                "h_seconds_bucket{m=\"x\",le=\"1.0\"} 3",
                "h_seconds_bucket{m=\"x\",le=\"+Inf\"} 4 # {\(labels)\"00000000000000bb\"} 7 1700000001.000",
            ]
        )
        #expect(histogram.count == 4 && histogram.sum == 8.2)
    }

    @Test func theOlderFormatAndOldNamesHaveNone() throws {
        let (registry, family) = try registry()
        family.child("x").observe(0.2, exemplar: try trace())
        #expect(!lines(registry, .prometheusText).contains { $0.contains(Self.traceID) })
        let shown = lines(registry, .openMetrics).filter { $0.contains(Self.traceID) }
        #expect(shown.count == 1 && shown[0].hasPrefix("h_seconds_bucket"))
    }

    @Test func onlySampledTracesAreKept() throws {
        let (registry, family) = try registry()
        family.child("x").observe(0.2, exemplar: try trace(sampled: false))
        family.child("x").observe(0.2, exemplar: nil)
        family.child("x").observe(.nan, exemplar: try trace())
        #expect(family.child("x").count == 2)
        #expect(!lines(registry, .openMetrics).contains { $0.contains("trace_id") })
    }

    @Test func theTimeIsThatOfTheDay() throws {
        let (registry, family) = try registry()
        family.child("x").observe(0.2, exemplar: try trace())
        let line = try #require(lines(registry, .openMetrics).first { $0.contains("trace_id") })
        let time = try #require(Double(line.split(separator: " ").last ?? ""))
        #expect((1e9...9e9).contains(time))
    }

    @Test(arguments: [nil, "", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", "nonsense"])
    func aHeaderWithoutASampledTraceGivesNone(_ header: String?) {
        #expect(TraceContext.sampled(header) == nil)
    }

    @Test func concurrentExemplarsAreAllCounted() async throws {
        let (registry, family) = try registry()
        let histogram = family.child("x")
        let trace = try trace()
        await withTaskGroup { group in
            for _ in 0..<4 {
                group.addTask {
                    for round in 0..<1_000 { histogram.observe(Double(round % 3), exemplar: trace) }
                }
            }
        }
        #expect(histogram.count == 4_000)
        let shown = lines(registry, .openMetrics).filter { $0.contains(Self.traceID) }
        #expect(shown.count == 3 && shown.allSatisfy { $0.hasPrefix("h_seconds_bucket") })
    }
}
