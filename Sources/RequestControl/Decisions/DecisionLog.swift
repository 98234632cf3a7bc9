import Scheduling
import Synchronization

/// The last decisions, for those who ask why a request went where it did. Safe from any thread.
///
/// Memory is bounded twice: by the number of decisions, and by the number of endpoints in them all, since each decision
/// keeps its candidates as they were. With a thousand endpoints the second bound keeps the last
/// ``defaultMaxEndpoints`` / 1,000 decisions.
package final class DecisionLog: Sendable {
    /// The most endpoints in all decisions together, unless said otherwise: about 100 MB when no two decisions share a
    /// state of an endpoint.
    package static let defaultMaxEndpoints = 200_000

    /// A ring of the last decisions, which grows to its capacity as they come.
    private struct Ring {
        let capacity: Int
        var places: [DecisionRecord?] = []
        /// The place of the oldest.
        var first = 0
        var count = 0
        var endpoints = 0

        /// Takes the oldest out.
        mutating func takeOldest() -> DecisionRecord? {
            let oldest = places[first].take()
            first = first + 1 == places.count ? 0 : first + 1
            count -= 1
            endpoints -= oldest?.endpointCount ?? 0
            return oldest
        }

        /// Puts `decision` behind the last one; there must be room.
        mutating func append(_ decision: DecisionRecord) {
            endpoints += decision.endpointCount
            if count == places.count {
                // The places are full and not yet as many as they may be. The oldest comes to the front, so that there
                // is room behind the last. It is there, unless the number of endpoints was what let others go.
                if first > 0 { places = Array(places[first...]) + places[..<first] }
                first = 0
                places.append(decision)
            } else {
                places[(first + count) % places.count] = decision
            }
            count += 1
        }
    }

    private let maxEndpoints: Int
    private let ring: Mutex<Ring>

    /// Makes an empty log.
    ///
    /// - Parameters:
    ///   - capacity: how many decisions are kept, at least 1.
    ///   - maxEndpoints: how many endpoints are kept in them all; the last decision is kept in any case.
    package init(capacity: Int, maxEndpoints: Int = DecisionLog.defaultMaxEndpoints) {
        precondition(capacity > 0, "a log of decisions keeps at least one, not \(capacity)")
        self.maxEndpoints = maxEndpoints
        ring = Mutex(Ring(capacity: capacity))
    }

    /// Keeps `decision`; the oldest go where there is no room.
    package func record(_ decision: DecisionRecord) {
        // What goes is released outside of the lock.
        let oldest: DecisionRecord? = ring.withLock { ring in
            let oldest = ring.count == ring.capacity ? ring.takeOldest() : nil
            ring.append(decision)
            return oldest
        }
        _ = consume oldest
        while let surplus = ring.withLock({ $0.count > 1 && $0.endpoints > maxEndpoints ? $0.takeOldest() : nil }) {
            _ = consume surplus
        }
    }

    /// The decisions, newest first.
    ///
    /// - Parameters:
    ///   - limit: how many at most.
    ///   - isWanted: which.
    package func latest(_ limit: Int = .max, where isWanted: (DecisionRecord) -> Bool = { _ in true })
        -> [DecisionRecord]
    {
        let all = ring.withLock { ring in
            (0..<ring.count).reversed().compactMap { ring.places[(ring.first + $0) % ring.places.count] }
        }
        return Array(all.lazy.filter(isWanted).prefix(limit))
    }
}
