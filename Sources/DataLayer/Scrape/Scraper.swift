package import GatewayCore
package import Telemetry

/// Asks the endpoints of one pool for their metrics and models, and writes what they tell into the store.
///
/// Two child tasks per endpoint, one for each page, so that a slow model list does not make metrics old. They begin
/// when the endpoint comes and end with its life. Failures are counted and otherwise ignored: the last values stay, and
/// their age is what plugins judge by.
package struct Scraper: Sendable {
    private let store: EndpointStore
    private let http: any OutboundHTTP
    private let clock: any MonotonicClock
    private let configuration: ScrapeConfiguration
    private let metrics: DataLayerMetrics?

    /// Makes a scraper; ``run()`` starts it.
    ///
    /// - Parameters:
    ///   - store: whose endpoints to ask, and where the answers go.
    ///   - http: asks.
    ///   - clock: the same clock as the store's.
    ///   - configuration: what to ask, and how often.
    ///   - metrics: counts; `nil` counts nothing.
    package init(
        store: EndpointStore,
        http: any OutboundHTTP,
        clock: any MonotonicClock,
        configuration: ScrapeConfiguration = ScrapeConfiguration(),
        metrics: DataLayerMetrics? = nil
    ) {
        self.store = store
        self.http = http
        self.clock = clock
        self.configuration = configuration
        self.metrics = metrics
    }

    /// Scrapes until the task is cancelled. At most one run at a time per store makes sense.
    package func run() async {
        await withDiscardingTaskGroup { group in
            var watched: Set<EndpointLife> = []
            // Listening begins before the first look, so that no change falls between the two.
            let changes = store.membershipChanges()
            watchNewEndpoints(&watched, in: &group)
            for await _ in changes { watchNewEndpoints(&watched, in: &group) }
            group.cancelAll()
        }
    }

    private func watchNewEndpoints(_ watched: inout Set<EndpointLife>, in group: inout DiscardingTaskGroup) {
        let lives = store.current.endpoints.map(EndpointLife.init)
        for life in lives where !watched.contains(life) {
            group.addTask { await watchMetrics(of: life) }
            group.addTask { await watchModels(of: life) }
        }
        watched = Set(lives)
    }

    /// Asks for the metrics page until the life is over or the task is cancelled.
    private func watchMetrics(of life: EndpointLife) async {
        var schedule = ScrapeSchedule(
            slot: life.slot,
            now: clock.now,
            interval: max(configuration.interval, ScrapeConfiguration.shortestInterval),
            unreachableInterval: configuration.unreachableInterval,
            missingInterval: configuration.missingPageInterval
        )
        var recognition = EngineRecognition(engines: configuration.engines)
        var lastTrial: MonotonicInstant?
        while let endpoint = await nextTurn(of: life, at: schedule.nextDue) {
            let startedAt = clock.now
            // An unknown page costs one reading per known engine: once a second is enough to recognise it.
            let mayTryOthers = lastTrial.map { startedAt.since($0) >= .seconds(1) } ?? true
            if mayTryOthers { lastTrial = startedAt }
            let request = OutboundRequest(
                address: configuration.metricsAddress(endpoint.address),
                path: configuration.metricsPath,
                timeout: configuration.timeout,
                maxResponseBytes: configuration.maxPageBytes
            )
            guard let result = await ask(request) else { return }
            let answer = note(result, of: life, startedAt: startedAt, says: request.address == endpoint.address)
            if case .success(let response) = result, response.status == 200 {
                let reading = response.body.withBytes { page in
                    recognition.read(
                        page,
                        labels: endpoint.labels,
                        previous: endpoint.metrics,
                        mayTryOthers: mayTryOthers
                    )
                }
                take(reading, for: life)
            }
            metrics?.scrapeDuration.observe(clock.now.since(startedAt).fractionalSeconds)
            schedule.finished(answer, at: clock.now)
        }
    }

    /// Asks for the model list until the life is over or the task is cancelled: at the pace of metrics until it is
    /// known, more slowly from then on.
    private func watchModels(of life: EndpointLife) async {
        var schedule = modelSchedule(of: life, interval: configuration.unreachableInterval)
        var isKnown = false
        while let endpoint = await nextTurn(of: life, at: schedule.nextDue) {
            let request = OutboundRequest(
                address: endpoint.address,
                path: configuration.modelsPath,
                timeout: configuration.timeout,
                maxResponseBytes: configuration.maxModelListBytes
            )
            guard let result = await ask(request) else { return }
            switch result {
            case .success(let response) where response.status == 200:
                do throws(ModelListError) {
                    let models = try readModels(response.body)
                    store.record(models: models, for: life)
                    if !isKnown {
                        isKnown = true
                        schedule = modelSchedule(of: life, interval: configuration.modelsInterval)
                    }
                } catch {
                    countPollError(of: "models-data-source")
                }
                schedule.finished(.answered, at: clock.now)
            case .success(let response):
                // An engine without a model list is no failure; one that cannot answer now is.
                if response.status >= 500 { countPollError(of: "models-data-source") }
                schedule.finished(.missing, at: clock.now)
            case .failure(let failure):
                countPollError(of: "models-data-source")
                schedule.finished(failure.isConnect ? .unreachable : .answered, at: clock.now)
            }
        }
    }

    private func modelSchedule(of life: EndpointLife, interval: Duration) -> ScrapeSchedule {
        ScrapeSchedule(
            slot: life.slot,
            now: clock.now,
            interval: interval,
            unreachableInterval: configuration.unreachableInterval,
            missingInterval: configuration.modelsInterval
        )
    }

    private func readModels(_ body: any BodyBytes) throws(ModelListError) -> [ServedModel] {
        let result: Result<[ServedModel], ModelListError> = body.withBytes { page in
            do throws(ModelListError) {
                return .success(try ModelListReader.read(page))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Waits for the next turn; `nil` when the life is over or the task was cancelled.
    private func nextTurn(of life: EndpointLife, at due: MonotonicInstant) async -> EndpointSnapshot? {
        do {
            try await clock.sleep(until: due)
        } catch {
            return nil
        }
        return store.snapshot(of: life)
    }

    /// The answer or why there is none; `nil` when the task was cancelled.
    private func ask(_ request: OutboundRequest) async -> Result<OutboundResponse, OutboundFailure>? {
        do {
            return .success(try await http.get(request))
        } catch let failure as OutboundFailure {
            return .failure(failure)
        } catch {
            return nil
        }
    }

    /// Counts the result of a scrape and tells the endpoint's health of it.
    ///
    /// - Parameter says: whether the page is at the endpoint's own address: only then does it tell of its reachability.
    private func note(
        _ result: Result<OutboundResponse, OutboundFailure>,
        of life: EndpointLife,
        startedAt: MonotonicInstant,
        says: Bool
    ) -> ScrapeSchedule.Answer {
        switch result {
        case .success(let response):
            if says, response.status < 500 { store.scrapeAnswered(life, startedAt: startedAt) }
            if response.status == 200 { return .answered }
            metrics?.scrapes(.status).increment()
            if response.status == 404 { return .missing }
            countPollError(of: "metrics-data-source")
            return .answered
        case .failure(let failure):
            countPollError(of: "metrics-data-source")
            switch failure {
            case .connect(let detail):
                metrics?.scrapes(.connection).increment()
                if says { store.scrapeRefused(life, detail: "cannot connect: \(detail)", startedAt: startedAt) }
                return .unreachable
            case .timedOut:
                metrics?.scrapes(.timeout).increment()
                return .answered
            case .badResponse:
                metrics?.scrapes(.connection).increment()
                return .answered
            }
        }
    }

    private func take(_ reading: EngineMetricsExtractor.Reading, for life: EndpointLife) {
        guard reading.isAnyFound else {
            metrics?.scrapes(.page).increment()
            return
        }
        metrics?.scrapes(.success).increment()
        store.record(metrics: reading.metrics, for: life, at: clock.now)
    }

    private func countPollError(of source: String) {
        metrics?.pollErrors.child(source).increment()
    }
}

extension OutboundFailure {
    fileprivate var isConnect: Bool {
        if case .connect = self { true } else { false }
    }
}
