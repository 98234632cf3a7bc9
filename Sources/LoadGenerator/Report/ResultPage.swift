/// Results as one HTML page that needs nothing else: no script, and no request to anywhere.
package enum ResultPage {
    private static let endpointsMax = 64
    private static let runsWithCharts = 4

    /// The page of some runs, and of the comparison that they were made for.
    package static func document(
        _ summaries: [RunSummary],
        comparison: TargetComparison?,
        _ context: ReportContext
    ) -> String {
        var html = """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
            <meta name="color-scheme" content="light dark"><title>martlet bench</title><style>\(style)</style></head>
            <body><main><h1>martlet bench</h1><p class="meta">\(meta(context))</p>
            """
        if let comparison { html += section(comparison) }
        if summaries.count > 1, comparison == nil { html += sweep(summaries) }
        // The blocks of a comparison are many and much alike: the first pair shows what they were.
        let shown = comparison == nil ? summaries : Array(summaries.prefix(2))
        for summary in shown {
            html += run(summary, hasCharts: shown.count <= runsWithCharts || summary.label == shown.last?.label)
        }
        return html + "<h2>Options</h2>" + options(context) + "</main></body></html>\n"
    }

    private static func meta(_ context: ReportContext) -> String {
        [context.date, "martlet \(context.version)", context.system, "\(context.processors) processors"]
            .map(\.escapedForHTML).joined(separator: " · ")
    }

    private static func options(_ context: ReportContext) -> String {
        let rows = context.options.map { option in
            "<tr><th scope=\"row\">\(option.name.escapedForHTML)</th><td>\(option.value.escapedForHTML)</td></tr>"
        }
        return "<table>\(rows.joined())</table>"
    }

    // MARK: One run

    private static func run(_ summary: RunSummary, hasCharts: Bool) -> String {
        let title = summary.label.isEmpty ? "Result" : summary.label
        var html = "<h2>\(title.escapedForHTML)</h2><p class=\"meta\">\(summary.target.escapedForHTML)</p>"
        for warning in summary.warnings { html += "<p class=\"warning\">\(warning.escapedForHTML)</p>" }
        html += "<div class=\"tiles\">"
        for (name, unit) in [
            ("request_throughput", "req/s"), ("output_throughput", "tok/s"), ("median_ttft_ms", "ms TTFT p50"),
            ("p99_ttft_ms", "ms TTFT p99"), ("median_itl_ms", "ms ITL p50"), ("p99_e2el_ms", "ms E2EL p99"),
            ("request_goodput", "req/s goodput"), ("failed", "failed"),
        ] {
            guard let value = summary.value(name) else { continue }
            html += "<div class=\"tile\"><b>\(value.fixed(name == "failed" ? 0 : 1))</b><span>\(unit)</span></div>"
        }
        html += "</div>"
        if hasCharts { html += charts(summary.measure) }
        html += endpoints(summary.measure) + failures(summary.measure)
        return html + "<details><summary>All numbers</summary>\(numbers(summary))</details>"
    }

    private static func numbers(_ summary: RunSummary) -> String {
        var html = "<table>"
        for section in summary.sections {
            if !section.title.isEmpty { html += "<tr><th colspan=\"2\">\(section.title.escapedForHTML)</th></tr>" }
            for value in section.values {
                html += "<tr><th scope=\"row\">\(value.title.escapedForHTML)</th>"
                html += "<td class=\"number\">\(value.value?.fixed(value.digits) ?? "-")</td></tr>"
            }
        }
        return html + "</table>"
    }

    private static func charts(_ measure: RunMeasure) -> String {
        func distribution(_ name: String, _ histogram: LatencyHistogram) -> Chart.Line {
            Chart.Line(
                name: name,
                points: histogram.distribution(pointsMax: 400).map { ($0.nanoseconds / 1e6, $0.share * 100) }
            )
        }
        let timeline = measure.timeline
        // The last bin is mostly not full, and its rates would look like a fall.
        func rateOverTime(_ name: String, _ value: (RunTimeline.Bin) -> Int) -> Chart.Line {
            Chart.Line(
                name: name,
                points: timeline.bins.dropLast().enumerated().map { index, bin in
                    (Double(index) * timeline.binSeconds, Double(value(bin)) / timeline.binSeconds)
                }
            )
        }
        func overTime(_ name: String, _ value: (RunTimeline.Bin) -> Double?) -> Chart.Line {
            Chart.Line(
                name: name,
                points: timeline.bins.enumerated().map { index, bin in
                    (Double(index) * timeline.binSeconds, value(bin) ?? .nan)
                }
            )
        }
        let charts = [
            Chart(
                title: "Latency: share of requests within a time",
                xTitle: "ms, logarithmic",
                yTitle: "%",
                lines: [
                    distribution("TTFT", measure.timeToFirstToken), distribution("end to end", measure.endToEnd),
                    distribution("ITL", measure.interTokenLatency),
                ].filter { !$0.points.isEmpty },
                isLogarithmic: true
            ),
            Chart(
                title: "Time to first token",
                xTitle: "s",
                yTitle: "ms",
                lines: [
                    overTime("p50") { $0.timeToFirstToken.quantile(0.5).map { $0 / 1e6 } },
                    overTime("p99") { $0.timeToFirstToken.quantile(0.99).map { $0 / 1e6 } },
                ]
            ),
            Chart(
                title: "Output tokens per second",
                xTitle: "s",
                yTitle: "tok/s",
                lines: [rateOverTime("tokens") { $0.outputTokens }]
            ),
            Chart(
                title: "Requests per second",
                xTitle: "s",
                yTitle: "req/s",
                lines: [
                    rateOverTime("answered") { $0.completed },
                    rateOverTime("failed") { $0.failed },
                ]
            ),
        ]
        return "<div class=\"charts\">\(charts.map(\.html).joined())</div>"
    }

    private static func endpoints(_ measure: RunMeasure) -> String {
        if measure.shares.isEmpty { return "" }
        let most = Double(measure.shares.values.map(\.requests).max() ?? 1)
        let sorted = measure.shares.sorted { ($1.value.requests, $0.key) < ($0.value.requests, $1.key) }
        let rows = sorted.prefix(endpointsMax).map { name, share in
            let part = Double(share.requests) / Double(max(1, measure.completed)) * 100
            let first = share.timeToFirstTokenSum / Double(max(1, share.requests)) / 1e6
            let cached = share.promptTokens > 0 ? Double(share.cachedTokens) / Double(share.promptTokens) * 100 : 0
            let bar = (Double(share.requests) / most * 100).fixed(1)
            return """
                <tr><th scope="row">\(name.escapedForHTML)</th><td class="bar"><i style="width:\(bar)%"></i></td>\
                <td class="number">\(part.fixed(1)) %</td><td class="number">\(first.fixed(1))</td>\
                <td class="number">\(cached.fixed(1)) %</td></tr>
                """
        }
        return """
            <h3>Who served</h3><table class="wide"><tr><th>endpoint</th><th></th><th>requests</th>\
            <th>mean TTFT, ms</th><th>input from cache</th></tr>\(rows.joined())</table>
            """
    }

    private static func failures(_ measure: RunMeasure) -> String {
        if measure.failures.isEmpty { return "" }
        let rows = measure.failures.sorted { $0.value > $1.value }.prefix(endpointsMax).map { reason, count in
            "<tr><th scope=\"row\">\(reason.escapedForHTML)</th><td class=\"number\">\(count)</td></tr>"
        }
        return "<h3>Failures</h3><table>\(rows.joined())</table>"
    }

    // MARK: Several runs

    private static func sweep(_ summaries: [RunSummary]) -> String {
        func line(_ name: String, _ metric: String) -> Chart.Line {
            Chart.Line(
                name: name,
                points: summaries.map { ($0.value("output_throughput") ?? .nan, $0.value(metric) ?? .nan) },
                hasMarks: true
            )
        }
        let charts = [
            Chart(
                title: "Time to first token over throughput",
                xTitle: "output tok/s",
                yTitle: "ms",
                lines: [line("p50", "median_ttft_ms"), line("p99", "p99_ttft_ms")]
            ),
            Chart(
                title: "Time per output token over throughput",
                xTitle: "output tok/s",
                yTitle: "ms",
                lines: [line("p50", "median_tpot_ms"), line("p99", "p99_tpot_ms")]
            ),
        ]
        return "<h2>Sweep</h2><div class=\"charts\">\(charts.map(\.html).joined())</div>"
            + "<pre>\(ResultTable.sweep(summaries).escapedForHTML)</pre>"
    }

    private static func section(_ comparison: TargetComparison) -> String {
        let (first, second) = comparison.labels
        let rows = comparison.rows.map { row in
            let interval = row.ratio?.interval
            let range = interval.map { "\($0.lowerBound.fixed(3)) to \($0.upperBound.fixed(3))" } ?? "-"
            return """
                <tr><th scope="row">\(row.name.escapedForHTML)</th>\
                <td class="number">\(row.first?.fixed(2) ?? "-")</td>\
                <td class="number">\(row.second?.fixed(2) ?? "-")</td>\
                <td class="number">\(row.ratio?.median.fixed(3) ?? "-")</td><td class="number">\(range)</td>\
                <td class="verdict">\(row.verdict)</td></tr>
                """
        }
        return """
            <h2>\(second.escapedForHTML) over \(first.escapedForHTML)</h2><p>\(comparison.pairs) pairs of blocks that \
            took turns. The interval is that of the median ratio, with 95 %.</p><table class="wide"><tr><th>metric</th>\
            <th>\(first.escapedForHTML)</th><th>\(second.escapedForHTML)</th><th>ratio</th><th>interval</th>\
            <th></th></tr>\
            \(rows.joined())</table>\
            \(comparison.warnings.map { "<p class=\"warning\">\($0.escapedForHTML)</p>" }.joined())
            """
    }

    private static let style = """
        :root{--ink:#1b1f24;--soft:#59636e;--back:#fff;--panel:#f5f7f9;--line:#d8dee4;--s0:#1f6fc9;--s1:#c4501b;\
        --s2:#2f7d4f;--s3:#7a4fb5;--warn:#8a4b00}
        @media(prefers-color-scheme:dark){:root{--ink:#e8ebee;--soft:#a3adb8;--back:#14171b;--panel:#1d2126;\
        --line:#363c44;--s0:#5aa2f0;--s1:#f0854f;--s2:#5dbb82;--s3:#b48ce8;--warn:#f0b35a}}
        body{margin:0;background:var(--back);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
        main{max-width:1320px;margin:0 auto;padding:24px}h1{font-size:22px;margin:0}h2{font-size:18px;margin:32px 0 4px}
        h3{font-size:15px;margin:20px 0 4px}.meta{color:var(--soft);margin:0 0 12px}.warning{color:var(--warn)}
        .tiles{display:flex;flex-wrap:wrap;gap:12px}.tile{background:var(--panel);border:1px solid var(--line);\
        border-radius:6px;padding:8px 14px;min-width:96px}.tile b{display:block;font-size:22px;\
        font-variant-numeric:tabular-nums}.tile span{color:var(--soft);font-size:13px}
        .charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,520px),1fr));gap:16px;margin:16px 0}
        figure{margin:0;background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:12px}
        figcaption{font-weight:600;margin-bottom:4px}svg{width:100%;height:auto;display:block}
        svg path{fill:none;stroke-width:2}.grid{stroke:var(--line)}.tick{fill:var(--soft);font-size:12px}
        path.s0{stroke:var(--s0)}path.s1{stroke:var(--s1)}path.s2{stroke:var(--s2)}path.s3{stroke:var(--s3)}
        circle.s0{fill:var(--s0)}circle.s1{fill:var(--s1)}circle.s2{fill:var(--s2)}circle.s3{fill:var(--s3)}
        .key{font-weight:400;color:var(--soft);margin-left:8px}.key::before{content:"";display:inline-block;width:14px;\
        height:3px;vertical-align:middle;margin-right:5px}.key.s0::before{background:var(--s0)}\
        .key.s1::before{background:var(--s1)}.key.s2::before{background:var(--s2)}.key.s3::before{background:var(--s3)}
        table{border-collapse:collapse;font-variant-numeric:tabular-nums}.wide{width:100%}
        th,td{text-align:left;padding:3px 12px 3px 0;border-bottom:1px solid var(--line);font-weight:400}
        .number{text-align:right}.bar{width:40%}.bar i{display:block;height:10px;background:var(--s0);border-radius:2px}
        pre{overflow-x:auto;background:var(--panel);padding:12px;border-radius:6px}
        """
}
