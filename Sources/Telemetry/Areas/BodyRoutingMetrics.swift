/// The instruments of the body-based router.
package struct BodyRoutingMetrics: Sendable {
    /// Requests whose body was read and whose plugins all ran.
    package let success: Counter
    /// Bodies without a field that a plugin reads, by field.
    package let fieldNotFound: CounterFamily
    /// Bodies in which a field that a plugin reads is empty, by field.
    package let fieldEmpty: CounterFamily
    /// Seconds of one plugin call by extension_point, plugin_type and plugin_name; see
    /// ``requestPluginDuration(type:name:)``.
    package let pluginDuration: HistogramFamily
    /// Bodies that were read and have no model.
    package let modelNotInBody: Counter
    /// Bodies that could not be read.
    package let modelNotParsed: Counter

    /// Requests that came with the header of the model.
    package let modelInHeader: Counter

    /// Registers the families and states the build.
    ///
    /// - Parameters:
    ///   - registry: Where to register.
    ///   - commit: The revision the build was made from.
    ///   - buildRef: The branch or tag.
    package init(registry: MetricRegistry, commit: String, buildRef: String) throws(MetricRegistrationError) {
        typealias Names = MetricCatalogue.BodyRouting
        try registry.gauges(Names.info).child(commit, buildRef).set(1)
        success = try registry.counter(Names.success)
        fieldNotFound = try registry.counters(Names.fieldNotFound)
        fieldEmpty = try registry.counters(Names.fieldEmpty)
        pluginDuration = try registry.histograms(Names.pluginDuration)
        modelNotInBody = try registry.counter(Names.modelNotInBody)
        modelNotParsed = try registry.counter(Names.modelNotParsed)
        modelInHeader = try registry.counter(Names.modelInHeader)
    }

    /// The histogram of the calls of one plugin for requests.
    package func requestPluginDuration(type: String, name: String) -> Histogram {
        pluginDuration.child("request", type, name)
    }
}
