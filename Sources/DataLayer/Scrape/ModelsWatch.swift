package import GatewayCore
import Telemetry

/// The reading of one life's model list, which is asked for several times a second until it is known, and more slowly
/// from then on.
package struct ModelsWatch: PageWatch {
    private static let source = "models-data-source"

    /// The question, the same each time.
    package let request: OutboundRequest
    private let slot: Int
    private let configuration: ScrapeConfiguration
    private var schedule: ScrapeSchedule
    private var isKnown = false
    private var askedAt: MonotonicInstant?

    /// The watch of an endpoint that came at `now`.
    package init(of endpoint: EndpointSnapshot, configuration: ScrapeConfiguration, now: MonotonicInstant) {
        request = OutboundRequest(
            address: configuration.modelsAddress(endpoint.address),
            path: configuration.modelsPath,
            timeout: configuration.timeout,
            maxResponseBytes: configuration.maxModelListBytes
        )
        slot = endpoint.slot
        self.configuration = configuration
        let interval = min(configuration.unreachableInterval, configuration.presentModelsInterval)
        schedule = Self.schedule(slot, configuration, interval: interval, now: now)
    }

    /// When ``request`` is to be sent; `nil` while an answer is awaited.
    package var nextDue: MonotonicInstant? { askedAt == nil ? schedule.nextDue : nil }

    /// Notes that ``request`` is sent now to `endpoint`, as it is known now.
    package mutating func ask(_ endpoint: EndpointSnapshot, at now: MonotonicInstant) {
        askedAt = now
    }

    /// Takes the answer and plans the next question; `nil` when nothing was asked.
    package mutating func answered(
        _ result: Result<OutboundResponse, OutboundFailure>,
        at now: MonotonicInstant
    ) -> ScrapeFinding? {
        guard let startedAt = askedAt else { return nil }
        askedAt = nil
        var finding = ScrapeFinding(source: Self.source, startedAt: startedAt)
        switch result {
        case .success(let response) where response.status == 200:
            finding.models = Self.read(response.body)
            finding.isPollError = finding.models == nil
            finding.faults = finding.models == nil ? [ScrapeFault(.modelList, .unreadable)] : []
            if finding.models != nil, !isKnown {
                isKnown = true
                schedule = Self.schedule(slot, configuration, interval: configuration.presentModelsInterval, now: now)
            }
            schedule.finished(.answered, at: now)
        case .success(let response):
            schedule.finished(.missing, at: now)
            // An engine without a model list is no failure; one that cannot answer now is.
            finding.isPollError = response.status >= 500
            if response.status != 404 { finding.faults = [ScrapeFault(.modelList, .status)] }
        case .failure(let failure):
            finding.isPollError = true
            finding.faults = [ScrapeFault(.modelList, failure.pageFault)]
            if case .connect = failure {
                schedule.finished(.unreachable, at: now)
            } else {
                schedule.finished(.answered, at: now)
            }
        }
        return finding
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
            missingInterval: configuration.presentModelsInterval
        )
    }
}
