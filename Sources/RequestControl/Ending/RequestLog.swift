package import GatewayCore
import Synchronization

/// The last requests that ended, and how often requests ended in which way. Safe from any thread.
///
/// It is told of every request whether anybody looks or not, so that costs little: one short section under a lock, and
/// once the log is full no memory is taken.
package final class RequestLog: RequestObserver {
    private struct State {
        let capacity: Int
        /// A ring; the request with the number n stands at n modulo its capacity.
        var ring: [RequestSummary] = []
        /// How many requests have ended: the number of the next one.
        var count = 0
        var outcomes: [RequestOutcome: Int] = [:]
        var refusals: [Rejection.Reason: Int] = [:]

        /// The numbers of those that are kept.
        var kept: Range<Int> { max(0, count - capacity)..<count }
    }

    /// How many requests are copied at once: whoever reads must not keep those who end from ending.
    private static let batch = 64

    private let state: Mutex<State>

    /// Makes an empty log that keeps `capacity` requests, at least 1.
    package init(capacity: Int = 1_000) {
        precondition(capacity > 0, "a log of requests keeps at least one, not \(capacity)")
        state = Mutex(State(capacity: capacity))
    }

    /// Keeps `summary`; the oldest goes where there is no room.
    package func requestEnded(_ summary: RequestSummary) {
        var summary = summary
        state.withLock { state in
            if let rejection = summary.rejection {
                state.refusals[rejection.reason, default: 0] += 1
            } else {
                state.outcomes[summary.outcome ?? .abandoned, default: 0] += 1
            }
            if state.ring.count < state.capacity {
                state.ring.append(summary)
            } else {
                // What goes is released outside of the lock.
                swap(&state.ring[state.count % state.capacity], &summary)
            }
            state.count += 1
        }
    }

    /// The requests, the last that ended first.
    ///
    /// - Parameters:
    ///   - limit: how many at most.
    ///   - isWanted: which.
    package func latest(
        _ limit: Int = .max,
        where isWanted: (RequestSummary) -> Bool = { _ in true }
    ) -> [RequestSummary] {
        var found: [RequestSummary] = []
        var end = state.withLock { $0.count }
        while found.count < limit {
            let (batch, start) = state.withLock { state in
                let range = max(state.kept.lowerBound, end - Self.batch)..<max(state.kept.lowerBound, end)
                return (range.map { state.ring[$0 % state.capacity] }, range.lowerBound)
            }
            if batch.isEmpty { break }
            for summary in batch.reversed() where found.count < limit && isWanted(summary) { found.append(summary) }
            end = start
        }
        return found
    }

    /// Calls `body` with the endpoint and the token usage of each request that ended from the one with the number
    /// `first` on, as far as it is kept and reported usage.
    ///
    /// - Returns: the number of the next request.
    package func forEachUsage(from first: Int, _ body: (PoolID, EndpointID, TokenUsage) -> Void) -> Int {
        let end = state.withLock { $0.count }
        var next = min(end, first)
        while next < end {
            let usages: [(PoolID, EndpointID, TokenUsage)]
            (usages, next) = state.withLock { state in
                // Those who end meanwhile may push out what was to come next.
                let start = min(end, max(next, state.kept.lowerBound))
                let range = start..<min(end, start + Self.batch)
                let usages = range.compactMap { number -> (PoolID, EndpointID, TokenUsage)? in
                    let place = number % state.capacity
                    guard let pool = state.ring[place].pool, let endpoint = state.ring[place].endpoint,
                        let usage = state.ring[place].usage
                    else { return nil }
                    return (pool, endpoint, usage)
                }
                return (usages, range.upperBound)
            }
            for usage in usages { body(usage.0, usage.1, usage.2) }
        }
        return next
    }

    /// How many requests have ended, by the name of their outcome or of the reason why they were refused.
    package var counts: [String: Int] {
        let (outcomes, refusals) = state.withLock { ($0.outcomes, $0.refusals) }
        var counts: [String: Int] = [:]
        for (outcome, count) in outcomes { counts[outcome.rawValue, default: 0] += count }
        for (reason, count) in refusals { counts[reason.rawValue, default: 0] += count }
        return counts
    }
}
