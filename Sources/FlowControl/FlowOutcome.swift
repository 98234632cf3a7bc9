/// What became of a request that came to flow control; raw values are the label `outcome` of its metrics.
package enum FlowOutcome: String, Hashable, Sendable, CaseIterable {
    /// It goes on to be scheduled.
    case dispatched = "Dispatched"
    /// The queue had no room for it.
    case rejectedCapacity = "RejectedCapacity"
    /// The queue had no room for it, and the pool has no endpoint.
    case rejectedNoEndpoints = "RejectedNoEndpoints"
    /// It came while the gateway shut down.
    case rejectedShuttingDown = "RejectedOther"
    /// Its time to wait was over.
    case evictedTTL = "EvictedTTL"
    /// Its time to wait was over, and the pool has no endpoint.
    case evictedNoEndpoints = "EvictedNoEndpoints"
    /// Its client went away.
    case evictedContextCancelled = "EvictedContextCancelled"
    /// It waited while the gateway shut down.
    case evictedShuttingDown = "EvictedOther"
}
