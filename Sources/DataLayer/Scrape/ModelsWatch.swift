package import GatewayCore

/// The reading of one life's model list: when to ask, and what an answer means. At most one question is under way.
///
/// The list is asked for several times a second until it is known, and more slowly from then on. A pure value: the
/// caller passes the time, sends the request and writes the findings. No isolation.
package struct ModelsWatch: Sendable {
    /// What an answer, or its absence, told.
    package struct Finding: Sendable {
        /// Whether it is a failure of the endpoint.
        package var isPollError = false
        /// The list; `nil` when there is none.
        package var models: [ServedModel]?
    }

    /// The question, the same each time.
    package let request: OutboundRequest
    private let slot: Int
    private let configuration: ScrapeConfiguration
    private var schedule: ScrapeSchedule
    private var isKnown = false
    private var isAsking = false

    /// The watch of an endpoint that came at `now`.
    package init(of endpoint: EndpointSnapshot, configuration: ScrapeConfiguration, now: MonotonicInstant) {
        request = OutboundRequest(
            address: endpoint.address,
            path: configuration.modelsPath,
            timeout: configuration.timeout,
            maxResponseBytes: configuration.maxModelListBytes
        )
        slot = endpoint.slot
        self.configuration = configuration
        schedule = Self.schedule(slot, configuration, interval: configuration.unreachableInterval, now: now)
    }

    /// When ``request`` is to be sent; `nil` while an answer is awaited.
    package var nextDue: MonotonicInstant? { isAsking ? nil : schedule.nextDue }

    /// Notes that ``request`` is sent now.
    package mutating func ask() {
        isAsking = true
    }

    /// Takes the answer and plans the next question.
    ///
    /// - Returns: what it told; `nil` when nothing was asked.
    package mutating func answered(
        _ result: Result<OutboundResponse, OutboundFailure>,
        at now: MonotonicInstant
    ) -> Finding? {
        guard isAsking else { return nil }
        isAsking = false
        switch result {
        case .success(let response) where response.status == 200:
            let models = Self.read(response.body)
            if models != nil, !isKnown {
                isKnown = true
                schedule = Self.schedule(slot, configuration, interval: configuration.modelsInterval, now: now)
            }
            schedule.finished(.answered, at: now)
            return Finding(isPollError: models == nil, models: models)
        case .success(let response):
            schedule.finished(.missing, at: now)
            // An engine without a model list is no failure; one that cannot answer now is.
            return Finding(isPollError: response.status >= 500)
        case .failure(.connect):
            schedule.finished(.unreachable, at: now)
            return Finding(isPollError: true)
        case .failure:
            schedule.finished(.answered, at: now)
            return Finding(isPollError: true)
        }
    }

    private static func read(_ body: any BodyBytes) -> [ServedModel]? {
        body.withBytes { page in
            do throws(ModelListError) {
                return try ModelListReader.read(page)
            } catch {
                return nil
            }
        }
    }

    private static func schedule(
        _ slot: Int,
        _ configuration: ScrapeConfiguration,
        interval: Duration,
        now: MonotonicInstant
    ) -> ScrapeSchedule {
        ScrapeSchedule(
            slot: slot,
            now: now,
            interval: interval,
            unreachableInterval: configuration.unreachableInterval,
            missingInterval: configuration.modelsInterval
        )
    }
}
