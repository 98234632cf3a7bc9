import GatewayCore
import Synchronization

/// Spares an endpoint for a while after a request failed there. When all failed, all stay.
final class CooldownFilter: Filter, ResponseObserver {
    static let descriptor = PluginDescriptor(
        type: "cooldown-filter",
        summary: "Spares endpoints for a while after a request failed there."
    )

    private let period: Duration
    private let clock: any MonotonicClock
    /// When each endpoint is used again; only those that failed within the period.
    private let ends = Mutex<[EndpointID: MonotonicInstant]>([:])

    init(parameters: ParameterDecoder, context: inout PluginContext) {
        period = parameters.duration("period", default: .seconds(10), in: .milliseconds(1) ... .seconds(3600))
        clock = context.clock
    }

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {
        let ends = ends.withLock { $0 }
        if ends.isEmpty { return }
        candidates.keep(orAll: true) { ends[$0.id].map { $0 <= context.now } ?? true }
    }

    func didEnd(_ request: InferenceRequest, endpoint: EndpointSnapshot, outcome: RequestOutcome, usage: TokenUsage?) {
        guard outcome.isEndpointFailure else { return }
        let now = clock.now
        ends.withLock { ends in
            ends = ends.filter { $0.value > now }
            ends[endpoint.id] = now.advanced(by: period)
        }
    }
}
