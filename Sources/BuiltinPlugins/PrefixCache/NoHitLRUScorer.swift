import GatewayCore
import Synchronization

/// Spreads requests that no endpoint has cached: prefers the endpoint that got such a request the longest ago.
///
/// A request is cold when no candidate holds its first block; for any other every score is 0.5. Of n candidates for a
/// cold one, those that never got one come first, in their order, then the others, the longest ago first; the place p
/// from 0 scores 1 - p / (n - 1), and a single candidate 1. Places count among the candidates only, so the scores
/// always span 0 to 1, whoever else has been used.
final class NoHitLRUScorer: Scorer, PreRequest, EndpointObserver {
    static let descriptor = PluginDescriptor(
        type: "no-hit-lru-scorer",
        summary: "Spreads requests whose prefix nobody has cached over the least recently used endpoints."
    )

    private static let defaultSize = 1024
    private static let warmScore = 0.5

    /// The last cold request of an endpoint's life.
    private struct Use {
        let life: EndpointLife
        /// Counts up with every cold request; never 0.
        let turn: UInt64
    }

    private struct State {
        /// By slot; never more than the plugin's size.
        private var uses: [Int: Use] = [:]
        private var turn: UInt64 = 0

        /// When `endpoint` last got a cold request; 0 for never.
        func turn(of endpoint: EndpointSnapshot) -> UInt64 {
            guard let use = uses[endpoint.slot], use.life == EndpointLife(endpoint) else { return 0 }
            return use.turn
        }

        /// Notes a cold request; of more endpoints than `size` the one that was used the longest ago is forgotten.
        mutating func use(_ endpoint: EndpointSnapshot, size: Int) {
            if let known = uses[endpoint.slot], known.life.incarnation > endpoint.incarnation { return }
            turn += 1
            uses[endpoint.slot] = Use(life: EndpointLife(endpoint), turn: turn)
            if uses.count > size, let oldest = uses.min(by: { $0.value.turn < $1.value.turn }) {
                uses[oldest.key] = nil
            }
        }

        /// Drops what is known of an endpoint that left.
        mutating func forget(_ endpoint: EndpointSnapshot) {
            if uses[endpoint.slot]?.life == EndpointLife(endpoint) { uses[endpoint.slot] = nil }
        }
    }

    private let matches: DataReader<PrefixCacheMatches>
    private let size: Int
    private let state = Mutex(State())

    /// Reads `prefixMatchInfoProducerName` (default: the approximate index) and `lruSize` (1,024 endpoints; 0 and less
    /// mean the default). `prefixPluginType` and `prefixPluginName` have no effect.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        matches = context.consume(
            PrefixCacheMatches.key,
            producerNamedAt: "prefixMatchInfoProducerName",
            in: parameters
        )
        let size = parameters.int("lruSize", default: Self.defaultSize, in: .min...(1 << 20))
        if size <= 0 { parameters.warn("\(size) means \(Self.defaultSize)", at: "lruSize") }
        self.size = size > 0 ? size : Self.defaultSize
        parameters.acceptWithoutEffect(
            "prefixPluginType", "prefixPluginName",
            because: "prefixMatchInfoProducerName names where the matches come from"
        )
    }

    func score(_ candidates: Candidates, context: SchedulingContext, into scores: inout MutableSpan<Double>) {
        guard context.scratch[matches]?.isCold(candidates) ?? true else {
            for index in scores.indices { scores[index] = Self.warmScore }
            return
        }
        guard candidates.count > 1 else {
            for index in scores.indices { scores[index] = 1 }
            return
        }
        // Those that never were used have turn 0; among equals the candidates' order decides.
        var order: [(turn: UInt64, index: Int)] = []
        order.reserveCapacity(candidates.count)
        state.withLock { state in
            for index in 0..<candidates.count { order.append((state.turn(of: candidates[index]), index)) }
        }
        order.sort { $0 < $1 }
        let last = Double(candidates.count - 1)
        for (place, item) in order.enumerated() { scores[item.index] = (last - Double(place)) / last }
    }

    func willSend(_ decision: SchedulingDecision, context: inout SchedulingContext) {
        let matches = context.scratch[matches]
        // Each profile has its own candidates, so each may be cold for itself.
        for result in [decision.primary, decision.prefill] {
            guard let result, let endpoint = result.endpoints.first else { continue }
            let candidates = result.candidates.isEmpty ? Candidates([endpoint]) : result.candidates
            if matches?.isCold(candidates) ?? true { state.withLock { $0.use(endpoint, size: size) } }
        }
    }

    func endpointDidLeave(_ endpoint: EndpointSnapshot) {
        state.withLock { $0.forget(endpoint) }
    }
}
