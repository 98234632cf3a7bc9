import Synchronization

/// Whether the gateway wants traffic. Liveness is another thing: a draining gateway is alive.
final class Readiness: Sendable {
    private let draining = Atomic<Bool>(false)

    /// Whether the gateway is shutting down.
    var isDraining: Bool { draining.load(ordering: .acquiring) }

    /// From here on `/readyz` says no.
    func beginDraining() {
        draining.store(true, ordering: .releasing)
    }
}
