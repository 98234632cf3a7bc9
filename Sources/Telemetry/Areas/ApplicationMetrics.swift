/// The instruments of the build and its configuration.
package struct ApplicationMetrics: Sendable {
    private let info: GaugeFamily
    private let reloads: CounterFamily
    private let lastReloadSuccessful: Gauge

    /// Registers the application families and states the build.
    ///
    /// - Parameters:
    ///   - registry: Where to register.
    ///   - commit: The revision the build was made from.
    ///   - buildRef: The branch or tag.
    package init(registry: MetricRegistry, commit: String, buildRef: String) throws(MetricRegistrationError) {
        typealias Names = MetricCatalogue.Application
        info = try registry.gauges(Names.info)
        reloads = try registry.counters(Names.reloads)
        lastReloadSuccessful = try registry.gauge(Names.lastReloadSuccessful)
        info.child(commit, buildRef).set(1)
        lastReloadSuccessful.set(1)
        for result in ["success", "failure"] { _ = reloads.child(result) }
    }

    /// Counts a reading of the configuration and notes whether what the files say is in effect.
    package func reloaded(successfully: Bool) {
        reloads.child(successfully ? "success" : "failure").increment()
        lastReloadSuccessful.set(successfully ? 1 : 0)
    }
}
