/// The instruments of scheduling and of the prefix index.
package struct SchedulingMetrics: Sendable {
    /// What became of a scheduling decision.
    package enum AttemptStatus: String, Sendable, Hashable {
        case success
        case failure
    }

    /// Seconds of one decision, all profiles included.
    package let duration: Histogram
    /// Decisions by status, target_model_name, endpoint_name, namespace and port; see
    /// ``attempts(_:targetModel:endpoint:namespace:port:)``.
    package let attempts: CounterFamily
    /// Decisions of handlers that divide requests among endpoints, by plugin_name, plugin_type, model_name and
    /// decision_type; see ``disaggregations(_:pluginName:pluginType:model:)``.
    package let disaggregations: CounterFamily
    /// Decisions of rewrite rules by model_rewrite_name, model_name and target_model.
    package let rewriteDecisions: CounterFamily
    /// Seconds of one plugin call by extension_point, plugin_type and plugin_name. Observed only when enabled: a clock
    /// reading per scorer costs more than most scorers.
    package let pluginDuration: HistogramFamily
    /// Blocks in the prefix index by plugin_name and plugin_type.
    package let prefixIndexSize: GaugeFamily
    /// Share of the prompt found for the best endpoint, 0 to 1, by plugin_name and plugin_type.
    package let prefixHitRatio: HistogramFamily
    /// Bytes of the prompt found for the best endpoint, by plugin_name and plugin_type.
    package let prefixHitBytes: HistogramFamily

    /// Registers the scheduling families.
    package init(registry: MetricRegistry) throws(MetricRegistrationError) {
        typealias Names = MetricCatalogue.Scheduling
        duration = try registry.histogram(Names.duration)
        attempts = try registry.counters(Names.attempts)
        disaggregations = try registry.counters(Names.disaggregations)
        rewriteDecisions = try registry.counters(Names.rewriteDecisions)
        pluginDuration = try registry.histograms(Names.pluginDuration)
        prefixIndexSize = try registry.gauges(Names.prefixIndexSize)
        prefixHitRatio = try registry.histograms(Names.prefixHitRatio)
        prefixHitBytes = try registry.histograms(Names.prefixHitBytes)
    }

    /// The counter of decisions with this result. A failure has no endpoint; its three labels are empty.
    package func attempts(
        _ status: AttemptStatus,
        targetModel: String,
        endpoint: String = "",
        namespace: String = "",
        port: String = ""
    ) -> Counter {
        attempts.child(status.rawValue, targetModel, endpoint, namespace, port)
    }

    /// The counter of decisions of this kind.
    ///
    /// - Parameters:
    ///   - kind: which endpoints share the request, such as `prefill-decode`.
    ///   - pluginName: the profile handler's name.
    ///   - pluginType: the profile handler's type.
    ///   - model: the model name as it goes to the endpoint; an empty one is counted as `unknown`.
    package func disaggregations(_ kind: String, pluginName: String, pluginType: String, model: String) -> Counter {
        disaggregations.child(pluginName, pluginType, model.isEmpty ? "unknown" : model, kind)
    }

    /// Names the models that an operator configured: they are always kept apart and do not count towards the limits.
    /// Replaces the earlier set.
    package func pinModels(_ names: some Sequence<String>) {
        let names = Array(names)
        attempts.pin(names, of: "target_model_name")
        rewriteDecisions.pin(names, of: "model_name")
        rewriteDecisions.pin(names, of: "target_model")
    }

    /// Takes the series of an endpoint that left off the page.
    package func remove(endpoint: String, namespace: String) {
        attempts.remove { $0[2] == endpoint && $0[3] == namespace }
    }
}
