import DataLayer
import GatewayCore

/// The scraping of one life of one endpoint, as the gateway's scraper does it, with the exchange taking no time.
struct EndpointScrape {
    let life: EndpointLife
    private var schedule: ScrapeSchedule
    private var recognition: EngineRecognition
    private var hasToldModels = false

    init(life: EndpointLife, configuration: ScrapeConfiguration, now: MonotonicInstant) {
        self.life = life
        schedule = ScrapeSchedule(
            slot: life.slot,
            now: now,
            interval: configuration.interval,
            unreachableInterval: configuration.unreachableInterval,
            missingInterval: configuration.missingPageInterval
        )
        recognition = EngineRecognition(engines: PreparedEngines(configuration.engines))
    }

    /// When the endpoint is asked next.
    var nextDue: MonotonicInstant { schedule.nextDue }

    /// Asks the endpoint, and writes what it tells into `store`.
    ///
    /// - Parameters:
    ///   - page: the server's metrics page; `nil` when nobody listens.
    ///   - isLost: whether the answer is lost on its way.
    ///   - models: the server's model list.
    /// - Returns: `false` when the life is over, and nothing more is to be asked.
    mutating func ask(
        page: String?, isLost: Bool, models: [ServedModel], store: EndpointStore, at now: MonotonicInstant
    ) -> Bool {
        guard let endpoint = store.snapshot(of: life) else { return false }
        if isLost {
            schedule.finished(.answered, at: now)
            return true
        }
        guard let page else {
            store.scrapeRefused(life, detail: "cannot connect: connection refused", startedAt: now)
            schedule.finished(.unreachable, at: now)
            return true
        }
        store.scrapeAnswered(life, startedAt: now)
        let reading = recognition.read(
            Array(page.utf8).span.bytes,
            labels: endpoint.labels,
            previous: endpoint.metrics,
            mayTryOthers: false
        )
        if reading.isAnyFound {
            store.record(metrics: reading.metrics, attributes: reading.attributes, for: life, at: now)
        }
        if !hasToldModels {
            hasToldModels = true
            store.record(models: models, for: life)
        }
        schedule.finished(.answered, at: now)
        return true
    }
}
