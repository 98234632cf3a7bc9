import Synchronization

/// Whether the gateway wants traffic. Liveness is another thing: a draining gateway is alive.
final class Readiness: Sendable {
    private let draining = Atomic<Bool>(false)
    private let filled = Atomic<Bool>(false)

    /// Whether the gateway is shutting down.
    var isDraining: Bool { draining.load(ordering: .acquiring) }

    /// Whether every pool has had its endpoints once, and the shutdown has not begun.
    var isReady: Bool { filled.load(ordering: .acquiring) && !isDraining }

    /// The endpoints of every pool are known, even when there are none.
    func poolsAreFilled() {
        filled.store(true, ordering: .releasing)
    }

    /// From here on `/readyz` says no.
    func beginDraining() {
        draining.store(true, ordering: .releasing)
    }
}
