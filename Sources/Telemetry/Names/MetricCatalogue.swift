/// Every metric of the product, in the order of the page. Instruments and the documentation are made from this list.
///
/// Names that begin with `llm_d_epp_` are those of the llm-d endpoint picker, with its labels and buckets, so that
/// dashboards and alerts written for it keep working; the same holds for `bbr_` and the body-based router. What neither
/// has begins with `martlet_`; what every process has carries the conventional `process_` names.
package enum MetricCatalogue {
    /// All definitions.
    package static let all: [MetricDefinition] =
        Application.all + Requests.all + FlowControl.all + Scheduling.all + DataLayer.all + Proxy.all + Streams.all
        + BodyRouting.all + Cluster.all + Tracing.all + Process.all

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
        help: String
    ) -> MetricDefinition {
        MetricDefinition(
            name: compatiblePrefix + name, type: type, unit: unit, labels: labels, buckets: buckets, help: help
        )
    }

    /// A metric that exists under this name in the body-based router of the Gateway API Inference Extension.
    static func bodyRouting(
        _ name: String,
        _ type: MetricType,
        _ unit: MetricUnit? = nil,
        labels: [MetricLabel] = [],
        buckets: [Double] = [],
        help: String
    ) -> MetricDefinition {
        MetricDefinition(
            name: bodyRoutingPrefix + name, type: type, unit: unit, labels: labels, buckets: buckets, help: help
        )
    }

    /// A metric of this product alone.
    static func own(
        _ name: String,
        _ type: MetricType,
        _ unit: MetricUnit? = nil,
        labels: [MetricLabel] = [],
        buckets: [Double] = [],
        help: String
    ) -> MetricDefinition {
        MetricDefinition(name: ownPrefix + name, type: type, unit: unit, labels: labels, buckets: buckets, help: help)
    }
}
