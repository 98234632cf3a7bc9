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
    /// Decisions of `pd-profile-handler`, by the same labels.
    package let prefillDecisions: CounterFamily
    /// Decisions of rewrite rules by model_rewrite_name, model_name and target_model.
    package let rewriteDecisions: CounterFamily
    /// Seconds of one step of a decision by extension_point, plugin_type and plugin_name. Observed only while decisions
    /// are kept: then their steps are timed anyway, and a clock reading per scorer costs more than most scorers.
    package let pluginDuration: HistogramFamily
    /// Blocks in the prefix index by plugin_name and plugin_type; read when the page is written.
    package let prefixIndexSize: ObservedFamily
    /// Share of the prompt found for the chosen endpoint, 0 to 1, by plugin_name and plugin_type.
    package let prefixHitRatio: HistogramFamily
    /// Bytes of the prompt found for the chosen endpoint, by plugin_name and plugin_type.
    package let prefixHitBytes: HistogramFamily
    /// Media that were looked up, by plugin_type, plugin_name and modality.
    package let encoderCacheQueries: CounterFamily
    /// Media that the chosen endpoint holds, by plugin_type, plugin_name, pod and modality.
    package let encoderCacheHits: CounterFamily
    /// Share of a request's media that the chosen endpoint holds, 0 to 1, by plugin_type and plugin_name.
    package let encoderCacheHitRatio: HistogramFamily

    /// Registers the scheduling families.
    package init(registry: MetricRegistry) throws(MetricRegistrationError) {
        typealias Names = MetricCatalogue.Scheduling
        duration = try registry.histogram(Names.duration)
        attempts = try registry.counters(Names.attempts)
        disaggregations = try registry.counters(Names.disaggregations)
        prefillDecisions = try registry.counters(Names.prefillDecisions)
        rewriteDecisions = try registry.counters(Names.rewriteDecisions)
        pluginDuration = try registry.histograms(Names.pluginDuration)
        prefixIndexSize = try registry.observed(Names.prefixIndexSize)
        prefixHitRatio = try registry.histograms(Names.prefixHitRatio)
        prefixHitBytes = try registry.histograms(Names.prefixHitBytes)
        encoderCacheQueries = try registry.counters(Names.encoderCacheQueries)
        encoderCacheHits = try registry.counters(Names.encoderCacheHits)
        encoderCacheHitRatio = try registry.histograms(Names.encoderCacheHitRatio)
    }

    /// The counter of decisions with this result. A failure has no endpoint; its three labels are empty.
    package func attempts(
        _ status: AttemptStatus,
        targetModel: String,
        endpoint: String = "",
        namespace: String = "",
        port: String = ""
    ) -> Counter {
        let values = [status.rawValue, targetModel, endpoint, namespace, port]
        return status == .failure ? attempts.childOfRefused(values) : attempts.child(values)
    }

    /// The counter of decisions of this kind, in the family of its handler.
    ///
    /// - Parameters:
    ///   - kind: which endpoints share the request, such as `prefill-decode`.
    ///   - pluginName: the profile handler's name.
    ///   - pluginType: the profile handler's type.
    ///   - model: the model name as it goes to the endpoint; an empty one is counted as `unknown`.
    package func disaggregations(_ kind: String, pluginName: String, pluginType: String, model: String) -> Counter {
        let family = pluginType == Self.prefillHandler ? prefillDecisions : disaggregations
        return family.child(pluginName, pluginType, model.isEmpty ? "unknown" : model, kind)
    }

    private static let prefillHandler = "pd-profile-handler"

    /// Names the models that an operator configured: they are always kept apart and do not count towards the limits.
    /// Replaces the earlier set.
    package func pinModels(_ names: some Sequence<String>) {
        let names = Array(names)
        attempts.pin(names, of: "target_model_name")
        for family in [disaggregations, prefillDecisions] { family.pin(names, of: "model_name") }
        rewriteDecisions.pin(names, of: "model_name")
        rewriteDecisions.pin(names, of: "target_model")
    }

    /// Takes the series of an endpoint that left off the page.
    package func remove(endpoint: String, namespace: String) {
        attempts.remove { $0[2] == endpoint && $0[3] == namespace }
        encoderCacheHits.remove("pod", equals: endpoint)
    }
}
