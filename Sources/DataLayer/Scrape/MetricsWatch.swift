package import GatewayCore
package import Telemetry

/// The scraping of one life's metrics page: when to ask, and what an answer means. At most one question is under way.
///
/// A pure value: the caller passes the time, sends the request and writes the findings. No isolation.
package struct MetricsWatch: Sendable {
    /// What an answer, or its absence, told.
    package struct Finding: Sendable {
        /// What a scrape says of the endpoint's reachability.
        package enum Reach: Hashable, Sendable {
            /// Nothing: the page is elsewhere, or the answer tells neither.
            case unknown
            /// Somebody listens and answers.
            case answered
            /// Nobody listens.
            case refused(detail: String)
        }

        /// When the question was sent.
        package let startedAt: MonotonicInstant
        /// What the scrape counts as.
        package var result: DataLayerMetrics.ScrapeResult
        /// Whether it is a failure of the endpoint.
        package var isPollError = false
        /// What it says of the endpoint's reachability.
        package var reach = Reach.unknown
        /// The endpoint's metrics with what the page told; `nil` when it told nothing.
        package var metrics: EndpointMetrics?
    }

    private struct Asked {
        let endpoint: EndpointSnapshot
        let startedAt: MonotonicInstant
        let mayTryOthers: Bool
    }

    /// The question, the same each time.
    package let request: OutboundRequest
    /// Whether the page is at the endpoint's own address: only then does a scrape tell of its reachability.
    private let isAtEndpoint: Bool
    private var schedule: ScrapeSchedule
    private var recognition: EngineRecognition
    private var lastTrial: MonotonicInstant?
    private var asked: Asked?

    /// The watch of an endpoint that came at `now`.
    package init(of endpoint: EndpointSnapshot, configuration: ScrapeConfiguration, now: MonotonicInstant) {
        let address = configuration.metricsAddress(endpoint.address)
        request = OutboundRequest(
            address: address,
            path: configuration.metricsPath,
            timeout: configuration.timeout,
            maxResponseBytes: configuration.maxPageBytes
        )
        isAtEndpoint = address == endpoint.address
        schedule = ScrapeSchedule(
            slot: endpoint.slot,
            now: now,
            interval: max(configuration.interval, ScrapeConfiguration.shortestInterval),
            unreachableInterval: configuration.unreachableInterval,
            missingInterval: configuration.missingPageInterval
        )
        recognition = EngineRecognition(engines: configuration.engines)
    }

    /// When ``request`` is to be sent; `nil` while an answer is awaited.
    package var nextDue: MonotonicInstant? { asked == nil ? schedule.nextDue : nil }

    /// Notes that ``request`` is sent now.
    ///
    /// - Parameter endpoint: what is known of the endpoint now.
    package mutating func ask(_ endpoint: EndpointSnapshot, at now: MonotonicInstant) {
        // An unknown page costs one reading per known engine: once a second is enough to recognise it.
        let mayTryOthers = lastTrial.map { now.since($0) >= .seconds(1) } ?? true
        if mayTryOthers { lastTrial = now }
        asked = Asked(endpoint: endpoint, startedAt: now, mayTryOthers: mayTryOthers)
    }

    /// Takes the answer and plans the next question.
    ///
    /// - Returns: what it told; `nil` when nothing was asked.
    package mutating func answered(
        _ result: Result<OutboundResponse, OutboundFailure>,
        at now: MonotonicInstant
    ) -> Finding? {
        guard let asked else { return nil }
        self.asked = nil
        var finding = Finding(startedAt: asked.startedAt, result: .success)
        switch result {
        case .success(let response):
            schedule.finished(response.status == 404 ? .missing : .answered, at: now)
            if isAtEndpoint, response.status < 500 { finding.reach = .answered }
            if response.status == 200 {
                read(response.body, asked, &finding)
            } else {
                finding.result = .status
                finding.isPollError = response.status != 404
            }
        case .failure(let failure):
            finding.isPollError = true
            switch failure {
            case .connect(let detail):
                finding.result = .connection
                if isAtEndpoint { finding.reach = .refused(detail: "cannot connect: \(detail)") }
                schedule.finished(.unreachable, at: now)
            case .timedOut:
                finding.result = .timeout
                schedule.finished(.answered, at: now)
            case .badResponse:
                finding.result = .connection
                schedule.finished(.answered, at: now)
            }
        }
        return finding
    }

    private mutating func read(_ body: any BodyBytes, _ asked: Asked, _ finding: inout Finding) {
        let reading = body.withBytes { page in
            recognition.read(
                page,
                labels: asked.endpoint.labels,
                previous: asked.endpoint.metrics,
                mayTryOthers: asked.mayTryOthers
            )
        }
        if reading.isAnyFound {
            finding.metrics = reading.metrics
        } else {
            finding.result = .page
        }
    }
}
