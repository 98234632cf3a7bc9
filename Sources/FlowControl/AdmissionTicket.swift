package import GatewayCore
import Synchronization
import Telemetry

/// A request's way through flow control, from its arrival to its end.
///
/// Whoever has it calls ``close(usage:as:)`` when the request is over, however that came about: it leaves the queue,
/// gives its place back, or ends. Closing twice does nothing; one that is dropped closes itself. It may move between
/// threads, but one at a time uses it.
package final class AdmissionTicket: Sendable {
    private enum Step {
        case waiting
        /// Let go or refused; the request has no endpoint.
        case decided(FlowDecision)
        /// It runs on an endpoint.
        case running(FlowDecision, FlowEngine.Grant, RunningID?)
        case closed(FlowDecision?)
    }

    /// The request as it waits.
    let request: QueuedRequest
    /// Its name in the engine; `nil` when it was refused at once.
    let id: WaitingID?
    /// What is counted of it; `nil` when nothing is.
    let instruments: FlowInstruments?
    /// Where it is in its trace; `nil` when that is not sampled.
    let trace: TraceContext?
    private let controller: FlowController
    private let resume: @Sendable () -> Void
    private let step: Mutex<Step>

    init(
        _ request: QueuedRequest,
        id: WaitingID?,
        decision: FlowDecision?,
        controller: FlowController,
        instruments: FlowInstruments?,
        trace: TraceContext?,
        resume: @escaping @Sendable () -> Void
    ) {
        self.request = request
        self.id = id
        self.controller = controller
        self.instruments = instruments
        self.trace = trace
        self.resume = resume
        step = Mutex(decision.map(Step.decided) ?? .waiting)
    }

    deinit {
        close(usage: nil)
    }

    /// What was decided; `nil` while the request waits.
    package var decision: FlowDecision? {
        step.withLock { step in
            switch step {
            case .waiting: nil
            case .decided(let decision), .running(let decision, _, _): decision
            case .closed(let decision): decision
            }
        }
    }

    /// The request, which was let go, has an endpoint, on which it counts from now on.
    ///
    /// - Parameters:
    ///   - running: what is to be known of it while it runs.
    ///   - evict: ends the request for a more important one; called at most once, from any thread.
    package func began(_ running: RunningRequest, evict: @escaping @Sendable () -> Void) {
        guard let id, case .decided(let decision) = step.withLock({ $0 }),
            let (grant, number) = controller.began(id, running, evict: evict)
        else { return }
        step.withLock { $0 = .running(decision, grant, number) }
    }

    /// The request is over.
    ///
    /// - Parameters:
    ///   - usage: what its response said that it took; `nil` when it did not say.
    ///   - outcome: why, for one that waits.
    package func close(usage: TokenUsage?, as outcome: FlowOutcome = .evictedContextCancelled) {
        let last = step.withLock { step in
            let last = step
            switch last {
            case .waiting: step = .closed(nil)
            case .decided(let decision), .running(let decision, _, _): step = .closed(decision)
            case .closed: break
            }
            return last
        }
        switch last {
        case .waiting:
            if let decision = controller.left(self, as: outcome) { step.withLock { $0 = .closed(decision) } }
        case .decided(let decision):
            if decision.outcome == .dispatched { _ = controller.left(self, as: outcome) }
        case .running(_, let grant, let number): controller.ended(grant, running: number, usage: usage)
        case .closed: break
        }
    }

    /// Notes the decision.
    ///
    /// - Returns: whether somebody still waited for it.
    func decide(_ decision: FlowDecision) -> Bool {
        step.withLock { step in
            guard case .waiting = step else { return false }
            step = .decided(decision)
            return true
        }
    }

    /// Tells the one who waits.
    func tell() { resume() }
}

/// What flow control decided about a request.
package struct FlowDecision: Hashable, Sendable {
    /// What became of it.
    package let outcome: FlowOutcome
    /// How long it waited.
    package let waited: Duration
    /// In how many seconds it is worth another try, for a request that found the pool full; at least 1.
    package let retryAfterSeconds: Int
}
