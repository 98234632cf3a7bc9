package import GatewayCore
package import Telemetry

/// Asks the endpoints of one pool for their metrics, models and attributes, and writes what they tell into the store.
///
/// Each page has its own pace, so that a slow model list does not make metrics old. Questions begin when the endpoint
/// comes and end with its life. Failures are counted and otherwise ignored: the last values stay, and their age is what
/// plugins judge by.
package struct Scraper: Sendable {
    private let store: EndpointStore
    private let attributeKeys: Set<String>
    private let makeRun: @Sendable () -> ScrapeRun

    /// Makes a scraper; ``run()`` starts it.
    ///
    /// - Parameters:
    ///   - store: whose endpoints to ask, and where the answers go.
    ///   - http: asks.
    ///   - timer: tells when the next question is due; runs its work where `http` runs its completions.
    ///   - clock: the same clock as the store's and the timer's.
    ///   - configuration: what to ask, and how often.
    ///   - metrics: counts; `nil` counts nothing.
    package init(
        store: EndpointStore,
        http: any OutboundHTTP,
        timer: any CallbackTimer,
        clock: any MonotonicClock,
        configuration: ScrapeConfiguration = ScrapeConfiguration(),
        metrics: DataLayerMetrics? = nil
    ) {
        self.store = store
        attributeKeys = configuration.attributeKeys
        makeRun = {
            ScrapeRun(
                store: store,
                http: http,
                timer: timer,
                clock: clock,
                configuration: configuration,
                metrics: metrics
            )
        }
    }

    /// Scrapes until the task is cancelled; then everything that was arranged is called off. At most one run at a time
    /// per store makes sense.
    ///
    /// The task only follows the pool's membership: the questions are asked on the timer's thread.
    package func run() async {
        // Of an earlier configuration.
        store.forgetReadings(exceptAttributes: attributeKeys)
        let run = makeRun()
        // Listening begins before the first look, so that no change falls between the two.
        let changes = store.membershipChanges()
        run.followMembership()
        for await _ in changes { run.followMembership() }
        run.stop()
    }
}
