import GatewayCore

/// What waits in one pool, at one moment.
package struct FlowStatistics: Hashable, Sendable {
    /// What waits in one priority.
    package struct Band: Hashable, Sendable {
        /// The priority.
        package let priority: Int
        /// Requests that wait.
        package let requests: Int
        /// Their bytes.
        package let bytes: Int
        /// The most requests that may wait.
        package let maxRequests: Int
        /// The most bytes that may wait.
        package let maxBytes: Int
        /// The flows that are known.
        package let flows: [Flow]
    }

    /// What waits in one flow.
    package struct Flow: Hashable, Sendable {
        /// The fairness id.
        package let fairnessID: String
        /// Requests that wait.
        package let waiting: Int
        /// Requests that were let go and have not ended.
        package let running: Int
    }

    /// Highest priority first.
    package let bands: [Band]
    /// Requests that wait.
    package let requests: Int
    /// Their bytes.
    package let bytes: Int
    /// The most requests that may wait; `nil` for no limit.
    package let maxRequests: Int?
    /// The most bytes that may wait; `nil` for no limit.
    package let maxBytes: Int?
    /// Requests that were let go and have not ended.
    package let running: Int
    /// Whether the pool had no endpoint when it was looked at last.
    package let isPoolEmpty: Bool

    init(_ engine: FlowEngine) {
        bands = engine.order.compactMap { engine.bands[$0] }.map { band in
            Band(
                priority: band.priority,
                requests: band.count,
                bytes: band.bytes,
                maxRequests: band.settings.maxRequests,
                maxBytes: band.settings.maxBytes,
                flows: band.flows.compactMap(\.self).map {
                    Flow(fairnessID: $0.id, waiting: $0.count, running: $0.running)
                }
            )
        }
        requests = engine.waitingCount
        bytes = engine.bytes
        maxRequests = engine.settings.maxRequests
        maxBytes = engine.settings.maxBytes
        running = engine.running
        isPoolEmpty = engine.isPoolEmpty
    }
}
