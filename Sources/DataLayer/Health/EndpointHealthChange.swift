package import GatewayCore

/// What is told of an endpoint whose health changed.
package enum EndpointHealthChange: Hashable, Sendable {
    /// No requests go to it for a while; `detail` is what the last failure said.
    case ejected(EjectionReason, detail: String)
    /// It may be tried: it answered after it had gone, or was heard of again after its time was over. Not told where a
    /// request is the first to find that the time is over: then that is the trial, and its end is told.
    case onTrial
    /// It is healthy again.
    case healed

    init(_ transition: EjectionStateMachine.Transition, detail: String?) {
        switch transition {
        case .ejected(let reason): self = .ejected(reason, detail: detail ?? "")
        case .healed: self = .healed
        case .halfOpened: self = .onTrial
        }
    }
}

/// Whoever is told of changes of endpoints' health: the pool, the endpoint and what changed. It must be short, since
/// requests may wait for it.
package typealias EndpointHealthListener = @Sendable (PoolID, EndpointID, EndpointHealthChange) -> Void
