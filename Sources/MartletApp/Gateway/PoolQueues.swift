import FlowControl
import GatewayCore
import Synchronization

/// The flow control of one pool through reloads of its configuration.
///
/// A new configuration gives a new controller; the requests that wait in the old one go on there until none is left.
/// Safe from any thread.
final class PoolQueues: Sendable {
    private struct State {
        var present: FlowController?
        var retired: [Retired] = []

        var all: [FlowController] { retired.compactMap(\.controller) + (present.map { [$0] } ?? []) }
    }

    /// A controller of an earlier configuration. It lives as long as a request does that came under that configuration:
    /// until then one may still come to wait in it.
    private struct Retired {
        weak var controller: FlowController?
    }

    private let state = Mutex(State())

    /// Lets the requests to come wait in `next`; `nil` lets none wait.
    func replace(with next: FlowController?) {
        state.withLock { state in
            state.retired.removeAll { $0.controller == nil }
            if let last = state.present { state.retired.append(Retired(controller: last)) }
            state.present = next
        }
    }

    /// The pool's objectives have these priorities.
    func setPriorities(_ priorities: Set<Int>) {
        state.withLock { $0.present }?.setPriorities(priorities)
    }

    /// Requests may find room that they did not find before.
    func poolChanged() {
        for controller in state.withLock({ $0.all }) { controller.poolChanged() }
    }

    /// Refuses all that wait: the pool is gone.
    func stop() {
        let controllers = state.withLock { state in
            defer { state = State() }
            return state.all
        }
        for controller in controllers { controller.stop() }
    }
}
