import Telemetry

/// What `martlet metrics` tells: every metric of the program, from the list that the instruments are made of.
package struct MetricReference: Sendable {
    private let areas: [MetricCatalogue.Area]

    /// The reference of all metrics.
    package init() {
        areas = MetricCatalogue.areas
    }

    /// A line for each metric: its name, its type and its labels.
    package var list: String {
        areas.flatMap(\.definitions).map { definition in
            let labels = definition.labels.map(\.name).joined(separator: ",")
            return "\(definition.name) \(definition.type.rawValue)\(labels.isEmpty ? "" : " {\(labels)}")\n"
        }.joined()
    }

    /// The reference as a document: `docs/metrics.md`.
    package var markdown: String {
        Self.introduction + areas.map(Self.section).joined(separator: "\n") + "\n" + Self.twins(areas) + "\n"
            + Self.absent
    }

    private static var introduction: String {
        let limits = CardinalityLimits()
        return """
            # Metrics

            *For those who read /metrics, or write a dashboard or an alert.*

            Every metric that the program writes. `make docs` writes this page (`martlet metrics --markdown`) from
            the list that the instruments are made of, and a test compares it. The page is at `/metrics` of the admin
            address (`martlet serve`) or of the metrics port (`martlet epp`, `martlet bbr`), as Prometheus text or as
            OpenMetrics, by the `Accept` header. What the values of single labels mean:
            [operations](operations.md#metrics).

            Names that begin with `llm_d_epp_` are those of llm-d's endpoint picker, with its labels and buckets, those
            that begin with `bbr_` are the body-based router's; what begins with `martlet_` neither of them has. All
            but the `process_` metrics are alpha: labels and buckets follow upstream's.

            - **Labels.** Clients choose the values of a label with an asterisk. Of those, \(limits.valuesPerLabel)
              are kept apart in one metric, and models that the configuration names beside them; whatever comes later,
              or has more than \(LabelValueBound.valueBytesMax) bytes, is counted under
              `\(LabelValueBound.overflow)`. A request that is refused brings a new value only while fewer than a
              tenth of them are known. A metric has \(limits.seriesPerFamily) series at most before new ones lose such
              labels.
            - **Absence.** A metric without a value yet is not on the page, nor is a histogram with labels that has
              seen nothing. The column "on the page" says where and since when one can be there.
            - **Exemplars.** In OpenMetrics the buckets of the histograms that are marked ◆ carry the trace of the last
              request that fell into them and whose trace is sampled, as `trace_id` and `span_id`: the gateway's own
              span where the gateway records the trace, else the one that the request's `traceparent` names. Prometheus
              keeps them with `--enable-feature=exemplar-storage`.
            - **Old names.** With `--deprecated-metrics` the page also has what upstream calls deprecated:
              [below](#old-names). It is on by default for `martlet epp` and `martlet bbr`, which stand in for programs
              that write both, and off for `martlet serve`. The old series are made of the new ones when the page is
              written: requests pay nothing for them.


            """
    }

    private static func section(_ area: MetricCatalogue.Area) -> String {
        let head =
            "## \(area.title)\n\n| metric | type | unit | labels | on the page | meaning |\n"
            + "|---|---|---|---|---|---|\n"
        let rows = area.definitions.map { definition in
            let cells = [
                "`\(definition.name)`\(MetricCatalogue.exemplified.contains(definition.name) ? " ◆" : "")",
                definition.type.rawValue,
                definition.unit?.rawValue ?? "",
                definition.labels.map { "`\($0.name)`\($0.isBounded ? "*" : "")" }.joined(separator: ", "),
                definition.presence.text,
                meaning(definition),
            ]
            return "| \(cells.joined(separator: " | ")) |\n"
        }
        let buckets = area.definitions.filter { !$0.buckets.isEmpty }.map { definition in
            "- `\(definition.name)`: \(definition.buckets.map(number).joined(separator: ", "))\n"
        }
        return head + rows.joined() + (buckets.isEmpty ? "" : "\nBuckets:\n\n" + buckets.joined())
    }

    private static func meaning(_ definition: MetricDefinition) -> String {
        let text = definition.help.replacing("|", with: "\\|")
        return definition.stability == .deprecated ? "\(text) Only with `--deprecated-metrics`." : text
    }

    private static func twins(_ areas: [MetricCatalogue.Area]) -> String {
        let rows = areas.flatMap(\.definitions).compactMap { definition in
            definition.twin.map { twin in
                let labels = twin.labels.map { label in
                    label.name == label.source ? "`\(label.name)`" : "`\(label.name)` (`\(label.source)`)"
                }
                let only = twin.only.map { " where `\($0.label)` is `\($0.value)`" } ?? ""
                return "| `\(twin.name)` | \(labels.joined(separator: ", ")) | `\(definition.name)`\(only) |\n"
            }
        }
        return """
            ## Old names

            Written with `--deprecated-metrics`; types and buckets are those of the new ones. In brackets: what the new
            metric calls the label.

            | old name | labels | use instead |
            |---|---|---|

            """ + rows.joined()
    }

    /// A whole number without a point.
    private static func number(_ value: Double) -> String {
        Int(exactly: value).map { "\($0)" } ?? "\(value)"
    }

    /// The metrics of llm-d's endpoint picker that are not written, and why.
    private static let missing: [(names: [String], reason: String)] = [
        (
            [
                "inference_request_metric", "request_predicted_ttft_seconds",
                "request_ttft_prediction_duration_seconds", "request_predicted_tpot_seconds",
                "request_tpot_prediction_duration_seconds", "request_slo_violation_total",
            ],
            "they are the trained latency predictor's, which is [refused](plugins.md)"
        ),
        (
            ["kv_cache_index_…", "kv_cache_events_…"],
            "they are the precise prefix cache's, which is [refused](plugins.md)"
        ),
        (
            ["plugin_data_scope_violations_total"],
            "a plugin cannot reach data that it did not declare, so there is nothing to count"
        ),
        (
            ["flow_control_reclaim_target", "flow_control_pending_reclaim"],
            "evictions follow another rule ([compatibility](compatibility.md)), which has neither figure"
        ),
    ]

    private static var absent: String {
        let rows = missing.map { missing in
            "| \(missing.names.map { "`\($0)`" }.joined(separator: ", ")) | \(missing.reason) |\n"
        }
        return """
            ## Not there

            Metrics of llm-d's endpoint picker that belong to what this program does not do. Those of the Go runtime and
            of its Kubernetes client are not there either; what is followed in a cluster is in `martlet_kubernetes_…`.

            | `llm_d_epp_…` | because |
            |---|---|

            """ + rows.joined()
    }
}
