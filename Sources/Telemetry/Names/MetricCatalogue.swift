/// Every metric of the product, in the order of the page. Instruments and the documentation are made from this list.
///
/// Names that begin with `llm_d_epp_` are those of the llm-d endpoint picker, with its labels and buckets, so that
/// dashboards and alerts written for it keep working; the same holds for `bbr_` and the body-based router. What neither
/// has begins with `martlet_`; what every process has carries the conventional `process_` names.
package enum MetricCatalogue {
    /// Definitions that belong together, under one heading.
    package struct Area: Sendable {
        /// The heading, without an article.
        package let title: String
        /// In the order of the page.
        package let definitions: [MetricDefinition]
    }

    /// Every area in the order of the page.
    package static let areas = [
        Area(title: "Build and configuration", definitions: Application.all),
        Area(title: "Requests", definitions: Requests.all),
        Area(title: "Flow control", definitions: FlowControl.all),
        Area(title: "Scheduling", definitions: Scheduling.all),
        Area(title: "Endpoints", definitions: DataLayer.all),
        Area(title: "Proxy", definitions: Proxy.all),
        Area(title: "Streams of ext_proc", definitions: Streams.all),
        Area(title: "Body-based routing", definitions: BodyRouting.all),
        Area(title: "Cluster", definitions: Cluster.all),
        Area(title: "Logs", definitions: Logs.all),
        Area(title: "Traces", definitions: Tracing.all),
        Area(title: "Process", definitions: Process.all),
    ]

    /// All definitions.
    package static let all: [MetricDefinition] = areas.flatMap(\.definitions)

    /// The names of the histograms whose buckets can carry the trace of a request.
    package static let exemplified: Set<String> = Set(
        [
            Requests.duration, Requests.normalizedTimePerToken, Requests.timeToFirstToken, Requests.timePerOutputToken,
            FlowControl.queueDuration,
        ].map(\.name)
    )

    /// The definition of a name, if there is one.
    package static func definition(named name: String) -> MetricDefinition? {
        all.first { $0.name == name }
    }

    static let compatiblePrefix = "llm_d_epp_"
    static let bodyRoutingPrefix = "bbr_"
    static let ownPrefix = "martlet_"

    /// A metric that exists under this name in the llm-d endpoint picker.
    static func compatible(
        _ name: String,
        _ type: MetricType,
        _ unit: MetricUnit? = nil,
        labels: [MetricLabel] = [],
        buckets: [Double] = [],
        help: String,
        presence: MetricPresence = .always,
        twin: DeprecatedTwin? = nil
    ) -> MetricDefinition {
        MetricDefinition(
            name: compatiblePrefix + name, type: type, unit: unit, labels: labels, buckets: buckets, help: help,
            presence: presence, twin: twin
        )
    }

    /// A metric that exists under this name in the body-based router of the Gateway API Inference Extension.
    static func bodyRouting(
        _ name: String,
        _ type: MetricType,
        _ unit: MetricUnit? = nil,
        labels: [MetricLabel] = [],
        buckets: [Double] = [],
        help: String,
        stability: MetricStability = .alpha
    ) -> MetricDefinition {
        MetricDefinition(
            name: bodyRoutingPrefix + name, type: type, unit: unit, labels: labels, buckets: buckets, help: help,
            stability: stability, presence: .bodyRouter
        )
    }

    /// A metric of this product alone.
    static func own(
        _ name: String,
        _ type: MetricType,
        _ unit: MetricUnit? = nil,
        labels: [MetricLabel] = [],
        buckets: [Double] = [],
        help: String,
        presence: MetricPresence = .always
    ) -> MetricDefinition {
        MetricDefinition(
            name: ownPrefix + name, type: type, unit: unit, labels: labels, buckets: buckets, help: help,
            presence: presence
        )
    }
}
