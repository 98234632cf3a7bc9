package import GatewayCore
import RequestFormats
import Synchronization
package import Telemetry

/// What the requests of all front doors share: the present state, the clock, the metrics and the settings.
///
/// One request is one ``RequestExchange``, made by an edge. Safe from any thread.
package final class RequestController: Sendable {
    /// The settings.
    package let configuration: RequestControlConfiguration
    /// The instruments.
    package let metrics: GatewayMetrics
    /// The last decisions; `nil` when none are kept.
    package let decisions: DecisionLog?
    /// Told of every request that ended, in this order.
    let observers: [any RequestObserver]
    /// Makes traces; `nil` when nobody does, and then the header goes on as it came.
    let tracer: Tracer?
    let clock: any MonotonicClock
    private let present: Mutex<GatewayState>
    private let seeds: Atomic<UInt64>

    /// Makes a controller that starts with `state`.
    package init(
        state: GatewayState,
        configuration: RequestControlConfiguration,
        metrics: GatewayMetrics,
        observers: [any RequestObserver] = [],
        tracer: Tracer? = nil,
        clock: any MonotonicClock
    ) {
        self.configuration = configuration
        self.metrics = metrics
        self.observers = observers
        self.tracer = tracer
        self.clock = clock
        decisions = configuration.keptDecisions > 0 ? DecisionLog(capacity: configuration.keptDecisions) : nil
        present = Mutex(state)
        seeds = Atomic(configuration.seed)
    }

    /// The state that a new request sees.
    package var state: GatewayState { present.withLock { $0 } }

    /// Makes `state` the one that new requests see. Running requests end with the state they started with.
    package func replaceState(_ state: GatewayState) {
        present.withLock { $0 = state }
    }

    /// The present instant.
    package func now() -> MonotonicInstant { clock.now }

    /// The answer to a request that its edge refuses before there is an exchange, in the error form of the API that
    /// `path` belongs to. It is the request's end: observers are told.
    package func reply(to rejection: Rejection, path: String) -> LocalReply {
        if !observers.isEmpty {
            let summary = RequestSummary(refused: rejection, target: path, at: clock.now)
            for observer in observers { observer.requestEnded(summary) }
        }
        return LocalReply(rejection, api: state.parsers.api(forPath: path))
    }

    /// A random source of its own for each request. The seeds follow a sequence, so a run with one thread repeats;
    /// each is mixed once, for neighbours in a sequence would give sequences that overlap.
    func randomSource() -> RandomSource {
        var sequence = RandomSource(seed: seeds.wrappingAdd(1, ordering: .relaxed).newValue)
        return RandomSource(seed: sequence.next())
    }
}
