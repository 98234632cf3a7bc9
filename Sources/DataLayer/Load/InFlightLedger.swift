import Synchronization
import Telemetry

/// Counts the leases of one pool: how many are open, and how many were dropped without being closed.
///
/// The counts of single endpoints are their ``GatewayCore/EndpointLoad``s. Only ``RequestLease`` writes to either.
package final class InFlightLedger: Sendable {
    private let open = Atomic<Int>(0)
    private let leaks: Counter?

    /// Makes an empty ledger; `leaks` counts leases that were dropped without being closed.
    init(leaks: Counter?) {
        self.leaks = leaks
    }

    /// Leases that are open: the requests that are in flight at any endpoint of the pool, also at those that have left
    /// it.
    package var openLeases: Int { open.load(ordering: .relaxed) }

    func leaseOpened() {
        open.wrappingAdd(1, ordering: .relaxed)
    }

    func leaseClosed() {
        open.wrappingSubtract(1, ordering: .relaxed)
    }

    func leaseLeaked() {
        leaks?.increment()
    }
}
