package import GatewayCore
import Telemetry

/// The scraping of one life's metrics page.
package struct MetricsWatch: PageWatch {
    private struct Asked {
        let endpoint: EndpointSnapshot
        let startedAt: MonotonicInstant
        let mayTryOthers: Bool
        let requests: Int
    }

    private static let source = "metrics-data-source"

    /// The question, the same each time.
    package let request: OutboundRequest
    /// Whether the page is at the endpoint's own address: only then does a scrape tell of its reachability.
    private let isAtEndpoint: Bool
    private var schedule: ScrapeSchedule
    private var rest: IdleRest?
    private var recognition: EngineRecognition
    private var lastTrial: MonotonicInstant?
    private var asked: Asked?

    /// The watch of an endpoint that came at `now`.
    ///
    /// - Parameters:
    ///   - endpoint: the endpoint.
    ///   - configuration: how it is asked.
    ///   - engines: the engines of `configuration`.
    ///   - now: when it came.
    package init(
        of endpoint: EndpointSnapshot,
        configuration: ScrapeConfiguration,
        engines: PreparedEngines,
        now: MonotonicInstant
    ) {
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
        rest = configuration.idleInterval.map { IdleRest(interval: $0, load: endpoint.load) }
        recognition = EngineRecognition(engines: engines)
    }

    /// When ``request`` is to be sent; `nil` while an answer is awaited.
    package var nextDue: MonotonicInstant? { asked == nil ? schedule.nextDue : nil }

    /// Leaves out a look that is due at `now`, when the endpoint is idle and may rest.
    package mutating func skipIfIdle(at now: MonotonicInstant) {
        if asked == nil { rest?.skip(&schedule, at: now) }
    }

    /// Notes that ``request`` is sent now to `endpoint`, as it is known now.
    package mutating func ask(_ endpoint: EndpointSnapshot, at now: MonotonicInstant) {
        // An unknown page costs one reading per known engine: once a second is enough to recognise it.
        let mayTryOthers = lastTrial.map { now.since($0) >= .seconds(1) } ?? true
        if mayTryOthers { lastTrial = now }
        asked = Asked(
            endpoint: endpoint, startedAt: now, mayTryOthers: mayTryOthers, requests: endpoint.load.requests
        )
    }

    /// Takes the answer and plans the next question; `nil` when nothing was asked.
    package mutating func answered(
        _ result: Result<OutboundResponse, OutboundFailure>,
        at now: MonotonicInstant
    ) -> ScrapeFinding? {
        guard let asked else { return nil }
        self.asked = nil
        var finding = ScrapeFinding(source: Self.source, startedAt: asked.startedAt, result: .success)
        var isIdle = false
        defer { rest?.answered(isIdle: isIdle, askedAt: asked.startedAt) }
        switch result {
        case .success(let response):
            schedule.finished(response.status == 404 ? .missing : .answered, at: now)
            if isAtEndpoint, response.status < 500 { finding.reach = .answered }
            if response.status == 200 {
                isIdle = read(response.body, asked, &finding)
            } else {
                finding.result = .status
                finding.isPollError = response.status != 404
                finding.faults = [ScrapeFault(.page, response.status == 404 ? .missing : .status)]
            }
        case .failure(let failure):
            finding.isPollError = true
            finding.faults = [ScrapeFault(.page, failure.pageFault)]
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
            case .overLimit:
                finding.result = .page
                schedule.finished(.answered, at: now)
            }
        }
        return finding
    }

    /// Reads the page into `finding`.
    ///
    /// - Returns: whether it shows an idle engine.
    private mutating func read(_ body: any BodyBytes, _ asked: Asked, _ finding: inout ScrapeFinding) -> Bool {
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
            finding.requests = asked.requests
            finding.attributes = reading.attributes
        } else {
            finding.result = .page
        }
        finding.faults = reading.faults
        return reading.isIdle
    }
}
