import RequestFormats
import Testing

@testable import LoadGenerator

struct ReportTests {
    private func summary(label: String = "", slowerBy: Int64 = 0) -> RunSummary {
        var measure = RunMeasure(origin: 0)
        for number in 0..<100 as Range<Int64> {
            var record = answered(at: number * 50, first: number * 50 + 20 + slowerBy, gaps: [5, 5], output: 3)
            record.server = "10.0.0.\(number % 4 == 0 ? 1 : 2):8000"
            measure.record(record, objectives: nil)
        }
        var refused = RequestRecord(scheduled: 0)
        refused.ended = 1
        refused.failure = "status 429, <b>busy</b>"
        measure.record(refused, objectives: nil)
        return RunSummary(
            label: label,
            target: "http://127.0.0.1:8000/v1/chat/completions",
            measure: measure,
            plan: LoadPlan(mode: .closed(users: 1, rampSeconds: 0)),
            streams: true,
            generator: .init(processorSeconds: 0.1, seconds: 5, threads: 2)
        )
    }

    @Test func numbersHaveTheNamesOfTheField() {
        let summary = summary()
        #expect(summary.value("completed") == 100)
        #expect(summary.value("failed") == 1)
        #expect(summary.value("mean_ttft_ms") == 20)
        #expect(summary.value("p99_itl_ms").map { abs($0 - 5) < 0.025 } == true)
        #expect(summary.value("mean_tpot_ms") == 5)
        #expect(summary.value("mean_e2el_ms") == 30)
        #expect(summary.value("cached_share") == 0.5)
        // From 0 to 4.98 s.
        #expect(summary.value("request_throughput").map { abs($0 - 100 / 4.98) < 1e-9 } == true)
        #expect(summary.value("output_throughput").map { abs($0 - 300 / 4.98) < 1e-9 } == true)
        #expect(summary.value("balance") == 1.5)
        #expect(summary.warnings.isEmpty)
    }

    @Test func theTableReadsLikeThoseOfTheField() {
        let lines = ResultTable.text(summary()).split(separator: "\n").map(String.init)
        #expect(lines[0] == "============== Serving Benchmark Result ==============")
        #expect(lines.contains("Successful requests:                     100"))
        #expect(lines.contains("-----------------Time to First Token------------------"))
        #expect(lines.contains("Mean TTFT (ms):                          20.00"))
        #expect(lines.contains("  10.0.0.2:8000:                         75.0 %, mean TTFT 20.00 ms"))
        #expect(lines.contains("status 429, <b>busy</b>:                 1"))
    }

    @Test func theDocumentIsJSON() throws {
        let comparison = TargetComparison(labels: ("a", "b"), first: [summary()], second: [summary()])
        var context = ReportContext()
        context.arguments = ["bench", "\"quoted\""]
        let bytes = ResultJSON.document([summary(label: "x")], comparison: comparison, context)
        try bytes.withUnsafeBytes { raw in
            var scanner = JSONScanner()
            _ = try scanner.skipValue(in: RawSpan(_unsafeBytes: raw))
            try scanner.finish(in: RawSpan(_unsafeBytes: raw))
        }
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.hasPrefix(#"{"schema":1,"#))
        #expect(text.contains(#""mean_ttft_ms":20,"#))
        #expect(text.contains(#""failures":{"status 429, <b>busy</b>":1}"#))
        #expect(text.contains(#""10.0.0.1:8000":{"requests":25,"share":0.25,"#))
    }

    @Test func everyNumberMayBeAThreshold() {
        #expect(RunSummary.names.isSuperset(of: summary().sections.flatMap { $0.values.map(\.name) }))
        for name in ["p99_ttft", "p50_e2e", "goodput_share", "cached_share", "balance", "p99_loop_lag"] {
            #expect(Threshold("\(name)>0")?.isKnown == true, "\(name)")
        }
        #expect(Threshold("p98_ttft>0")?.isKnown == false)
        #expect(Threshold("ratio:balance>1")?.isKnown == false)
    }

    @Test func thePageNeedsNothingElse() {
        let page = ResultPage.document([summary(), summary(label: "other")], comparison: nil, ReportContext())
        #expect(!page.contains("<script"))
        #expect(!page.contains(" src="))
        #expect(!page.contains("url("))
        #expect(!page.contains("<b>busy"), "foreign text is escaped")
        #expect(page.contains("status 429, &lt;b&gt;busy&lt;/b&gt;"))
        #expect(page.contains("<svg"))
        #expect(page.contains("prefers-color-scheme:dark"))
        let number = page.split(separator: "<path").dropFirst().allSatisfy {
            !$0.contains("nan") && !$0.contains("d=\"L")
        }
        #expect(number, "a line begins with a move and has numbers only")
    }

    @Test func aComparisonTellsNoiseFromDifferences() throws {
        let plain = (0..<10).map { _ in summary() }
        let same = TargetComparison(labels: ("a", "b"), first: plain, second: plain)
        #expect(same.rows.allSatisfy { $0.verdict == "within noise" })
        let slow = (0..<10).map { summary(slowerBy: 2 + $0 % 3) }
        let different = TargetComparison(labels: ("a", "b"), first: plain, second: slow)
        let row = try #require(different.rows.first { $0.name == "mean_ttft_ms" })
        #expect(row.verdict == "worse")
        #expect(row.ratio.map { $0.median > 1.1 && $0.median < 1.2 } == true)
        #expect(try #require(different.rows.first { $0.name == "mean_tpot_ms" }).verdict == "within noise")
        let few = TargetComparison(labels: ("a", "b"), first: Array(plain[..<3]), second: Array(slow[..<3]))
        #expect(few.rows.allSatisfy { $0.verdict == "too few pairs" })
    }

    @Test func aComparisonTellsOfATargetThatFails() throws {
        func dead() -> RunSummary {
            var measure = RunMeasure(origin: 0)
            var refused = RequestRecord(scheduled: 0)
            refused.ended = 1_000_000
            refused.failure = "status 500"
            measure.record(refused, objectives: nil)
            return RunSummary(
                label: "", target: "", measure: measure, plan: LoadPlan(mode: .closed(users: 1, rampSeconds: 0)),
                streams: true, generator: .init(processorSeconds: 0, seconds: 1, threads: 1))
        }
        let plain = (0..<10).map { _ in summary() }
        let ailing = (0..<10).map { $0 < 9 ? dead() : summary() }
        let comparison = TargetComparison(labels: ("a", "b"), first: plain, second: ailing)
        #expect(try #require(comparison.rows.first { $0.name == "request_throughput" }).verdict == "perhaps worse")
        #expect(comparison.silent == [])
        #expect(
            comparison.warnings == [
                "10 of 1010 requests to a failed; latencies are those of the others.",
                "10 of 110 requests to b failed; latencies are those of the others. In 9 blocks all did, and their "
                    + "pairs have no latencies.",
            ])
        #expect(ResultTable.text(comparison).contains("warning: 10 of 110 requests to b failed"))
        let silent = TargetComparison(labels: ("a", "b"), first: plain, second: plain.map { _ in dead() })
        #expect(silent.silent == ["b"])
        #expect(silent.rows.first { $0.name == "request_throughput" }?.ratio?.median == 0)
    }

    @Test func ticksAreRoundAndCoverTheirRange() {
        #expect(Chart.ticks(0, 97) == [0, 20, 40, 60, 80, 100])
        #expect(Chart.ticks(0, 0.3).count <= 7)
        #expect(Chart.ticks(0, 0).last ?? 0 > 0)
        #expect(Chart.ticks(0, 1_234).last ?? 0 >= 1_234)
    }

    @Test(arguments: [(2.345, 1, "2.3"), (-1.5, 1, "-1.5"), (0.04, 1, "0.0"), (12.0, 0, "12"), (.nan, 2, "-")])
    func numbersAreWrittenWithTheirDigits(value: Double, digits: Int, text: String) {
        #expect(value.fixed(digits) == text)
    }
}
