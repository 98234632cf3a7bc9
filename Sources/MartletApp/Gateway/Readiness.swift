import Synchronization

/// Whether the gateway wants traffic, and whether it is alive: a draining gateway is. Safe from any thread.
final class Readiness: Sendable {
    private struct Facts {
        var isDraining = false
        var isFilled = false
        var absence: String?
        var fault: String?
        var isLeading: Bool?
    }

    private let facts = Mutex(Facts())

    /// Whether the gateway is shutting down.
    var isDraining: Bool { facts.withLock { $0.isDraining } }

    /// Whether every pool has had its endpoints once, nothing speaks against traffic, and the shutdown has not begun.
    var isReady: Bool { obstacle == nil && !isDraining }

    /// Whether it is there and could be ready: its pool is there, and its parsers can read what the pool speaks. The
    /// shutdown does not matter, and neither does who leads.
    var isLive: Bool { facts.withLock { $0.absence == nil && $0.fault == nil } }

    /// Whether one of several replicas is chosen to be the ready one.
    var isElected: Bool { facts.withLock { $0.isLeading != nil } }

    /// Whether requests that come here are to be served, as far as an election decides it. A leader that is shut down
    /// gives its place up first and serves on until proxies know.
    var hasTraffic: Bool { facts.withLock { $0.isLeading ?? true || $0.isDraining } }

    /// Why the gateway is not ready, the shutdown aside; `nil` when it is.
    var obstacle: String? {
        facts.withLock { facts in
            if let reason = facts.absence ?? facts.fault { return reason }
            if !facts.isFilled { return "not everything about the pools is known yet" }
            return facts.isLeading == false ? "another replica leads" : nil
        }
    }

    /// The endpoints of every pool are known, even when there are none.
    func poolsAreFilled() {
        facts.withLock { $0.isFilled = true }
    }

    /// From here on `/readyz` says no.
    func beginDraining() {
        facts.withLock { $0.isDraining = true }
    }

    /// The pool is not there, for this reason; `nil` when it is.
    func setAbsence(_ reason: String?) {
        facts.withLock { $0.absence = reason }
    }

    /// The pool cannot be served as it is configured, for this reason; `nil` when it can.
    func setFault(_ reason: String?) {
        facts.withLock { $0.fault = reason }
    }

    /// An election decides which replica is ready, and this process is the one or not.
    func setLeading(_ isLeading: Bool) {
        facts.withLock { $0.isLeading = isLeading }
    }
}
