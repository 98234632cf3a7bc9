import DataLayer
import GatewayConfiguration
import GatewayCore

/// Checks that resting endpoints keep the promise on how old metrics may be: those of an idle endpoint are looked at
/// again before anybody counts them as too old, even when the answer takes all of its time.
struct IdleIntervalCheck {
    /// What scraping does where the pool's metrics source says nothing.
    let scrape: ScrapeConfiguration
    /// How old metrics may be for their endpoint to count as ready.
    let staleness: Duration

    /// Checks the pool whose `picker` became `pipeline`.
    ///
    /// - Throws: ``ConfigurationError`` with both times when they do not fit.
    func run(_ pipeline: PluginPipeline, of picker: EndpointPickerConfiguration) throws(ConfigurationError) {
        let scrape = scrape.applying(pipeline)
        guard let idleInterval = scrape.idleInterval else { return }
        let interval = GoDuration.format(idleInterval)
        let oldest = idleInterval + scrape.timeout
        let age =
            "metrics would be up to \(GoDuration.format(oldest)) old, this and the \(GoDuration.format(scrape.timeout))"
            + " that an answer may take"
        let lifetime = pipeline.saturationDetector?.metricsLifetime
        if idleInterval <= scrape.interval {
            throw error("\(interval) is not longer than the interval of \(GoDuration.format(scrape.interval))", picker)
        } else if let lifetime, lifetime < oldest {
            let limit = "the saturation detector does without metrics older than \(GoDuration.format(lifetime))"
            throw error("\(interval) is too long: \(age), and \(limit)", picker)
        } else if staleness < oldest {
            let limit = "an endpoint counts as ready with metrics of at most \(GoDuration.format(staleness))"
            throw error("\(interval) is too long: \(age), and \(limit) (--metrics-staleness-threshold)", picker)
        }
    }

    private func error(_ message: String, _ picker: EndpointPickerConfiguration) -> ConfigurationError {
        let plugin = picker.plugins.last { $0.parameters?["idleInterval"] != nil }
        let value = plugin?.parameters?["idleInterval"]
        return ConfigurationError(
            position: value?.position ?? picker.position,
            path: plugin.map { "\($0.path).parameters.idleInterval" } ?? "",
            message: message
        )
    }
}
