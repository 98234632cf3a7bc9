import GatewayCore
import RequestControl
import Synchronization

/// How much of the prompts each endpoint found in its prefix cache lately, by what the last requests reported.
///
/// Read from the log of the last requests when somebody looks, so it costs the requests nothing. Of more requests a
/// second than the log keeps it sees the last ones: a sample. Safe from any thread.
final class CacheHits: Sendable {
    private struct Endpoint: Hashable {
        let pool: PoolID
        let id: EndpointID
    }

    private struct Tokens {
        var prompt = 0
        var cached = 0
    }

    private struct State {
        var next = 0
        /// When the present span began.
        var since: MonotonicInstant?
        var present: [Endpoint: Tokens] = [:]
        var previous: [Endpoint: Tokens] = [:]
    }

    /// How long a span lasts; the present and the previous one count.
    private static let span = Duration.seconds(30)

    private let log: RequestLog
    private let state = Mutex(State())

    /// Reads from `log`.
    init(_ log: RequestLog) {
        self.log = log
    }

    /// The shares by pool and endpoint, 0 to 1, of those of which something is known.
    func shares(at now: MonotonicInstant) -> [PoolID: [EndpointID: Double]] {
        state.withLock { state in
            let elapsed = state.since.map { now.since($0) } ?? .zero
            if state.since == nil || elapsed >= Self.span {
                // After a pause in which nobody looked, what was known is of no use.
                state.previous = elapsed < Self.span * 2 ? state.present : [:]
                state.present = [:]
                state.since = now
            }
            var present = state.present
            state.next = log.forEachUsage(from: state.next) { pool, endpoint, usage in
                guard usage.promptTokens > 0 else { return }
                present[Endpoint(pool: pool, id: endpoint), default: Tokens()].prompt += usage.promptTokens
                present[Endpoint(pool: pool, id: endpoint), default: Tokens()].cached += usage.cachedTokens
            }
            state.present = present
            let all = state.previous.merging(present) { previous, present in
                Tokens(prompt: previous.prompt + present.prompt, cached: previous.cached + present.cached)
            }
            var shares: [PoolID: [EndpointID: Double]] = [:]
            for (endpoint, tokens) in all {
                shares[endpoint.pool, default: [:]][endpoint.id] = Double(tokens.cached) / Double(tokens.prompt)
            }
            return shares
        }
    }
}
