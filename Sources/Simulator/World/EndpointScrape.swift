import DataLayer
import GatewayCore

/// The scraping of one life of one endpoint, as the gateway's scraper does it.
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

    /// What was asked, and what the server said to it.
    struct Answer {
        /// The metrics page; `nil` when nobody listens.
        let page: String?
        /// When it was asked for.
        let askedAt: MonotonicInstant
        /// How many requests of the gateway were open there then.
        let requests: Int
    }

    /// The answer never came.
    mutating func lose(at now: MonotonicInstant) {
        schedule.finished(.answered, at: now)
    }

    /// Writes what the endpoint told into `store`.
    ///
    /// - Parameters:
    ///   - answer: what the server said.
    ///   - models: the server's model list.
    /// - Returns: `false` when the life is over, and nothing more is to be asked.
    mutating func take(
        _ answer: Answer, models: [ServedModel], store: EndpointStore, at now: MonotonicInstant
    ) -> Bool {
        guard let endpoint = store.snapshot(of: life) else { return false }
        guard let page = answer.page else {
            store.scrapeRefused(life, detail: "cannot connect: connection refused", startedAt: answer.askedAt)
            schedule.finished(.unreachable, at: now)
            return true
        }
        store.scrapeAnswered(life, startedAt: answer.askedAt)
        let reading = recognition.read(
            Array(page.utf8).span.bytes,
            labels: endpoint.labels,
            previous: endpoint.metrics,
            mayTryOthers: false
        )
        if reading.isAnyFound {
            store.record(
                metrics: reading.metrics,
                attributes: reading.attributes,
                for: life,
                at: now,
                requests: answer.requests
            )
        }
        if !hasToldModels {
            hasToldModels = true
            store.record(models: models, for: life)
        }
        schedule.finished(.answered, at: now)
        return true
    }
}
