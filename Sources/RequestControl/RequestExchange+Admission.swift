import DataLayer
import FlowControl
import GatewayCore
import Scheduling

// The fourth step: the request waits for its turn, where the pool lets requests wait.
extension RequestExchange {
    /// Comes to the queue; goes on at once where there is none, or room.
    func admit() throws(Rejection) -> NextStep {
        guard let route, let context, let flow = route.pool.flowControl else { return .send(try nextAttempt()) }
        let wakeUp = wakeUp
        if let trace { trace.queued(at: controller.now()) }
        let ticket = flow.submit(
            context.request,
            uncachedTokens: flow.readsUncachedTokens ? uncachedTokens(context, route) : context.request.inputTokens,
            constraint: try constraint(context.request, route),
            trace: accounting?.trace
        ) {
            wakeUp(.resume)
        }
        self.ticket = ticket
        return ticket.decision == nil ? .wait : try admitted()
    }

    /// Goes on as flow control has decided.
    func admitted() throws(Rejection) -> NextStep {
        guard let decision = ticket?.decision else { return .wait }
        if let rejection = rejection(for: decision) {
            keep(rejection)
            throw rejection
        }
        return .send(try nextAttempt())
    }

    /// Keeps what became of a request that never was scheduled, for explanations.
    private func keep(_ rejection: Rejection) {
        guard let decisions = controller.decisions, let route, let request = context?.request else { return }
        let step = DecisionStep(
            pool: route.pool, tried: [], subset: incoming.endpointSubset, waited: admission?.waited
        )
        decisions.record(step.refused(request, rejection, begunAt: controller.now(), clock: controller.clock))
    }

    /// The request counts on an endpoint from now on.
    func noteBeginning(on endpoint: EndpointSnapshot, _ request: InferenceRequest, at now: MonotonicInstant) {
        timing = ServiceTiming(sentAt: now, openRequests: endpoint.load.requests)
        guard let ticket else { return }
        let wakeUp = wakeUp
        ticket.began(RunningRequest(priority: request.priority, fairnessID: request.fairnessID, dispatchedAt: now)) {
            wakeUp(.evict)
        }
    }

    /// Tells the plugins how long the endpoint took for the request, which was answered whole.
    func noteService(endedAt now: MonotonicInstant, usage: TokenUsage?) {
        guard let route, let timing, let firstByteAt = timing.firstByteAt, let decision,
            let request = context?.request
        else { return }
        route.pool.scheduler.served(
            ServedRequest(
                endpoint: decision.endpoint,
                openRequests: timing.openRequests,
                uncachedTokens: usage.map { max(0, $0.promptTokens - $0.cachedTokens) } ?? request.inputTokens,
                sentAt: timing.sentAt,
                firstByteAt: firstByteAt,
                endedAt: now
            )
        )
    }

    /// Which endpoints the request may go to.
    ///
    /// - Throws: ``Rejection`` when there are endpoints and none of them could ever serve it: nobody waits for that.
    private func constraint(_ request: InferenceRequest, _ route: RouteSelection) throws(Rejection) -> RequestConstraint
    {
        let view = route.pool.endpoints.current
        let all = RequestConstraint(model: request.targetModel, subset: incoming.endpointSubset)
        if view.available.isEmpty { return all }
        let candidates = try CandidateSelection.candidates(
            in: view,
            model: request.targetModel,
            askedAs: request.model,
            excluding: [],
            subset: incoming.endpointSubset,
            pool: route.pool.id
        )
        return candidates.count == view.available.count ? .none : all
    }

    /// The prompt tokens that no endpoint of the pool is believed to hold.
    private func uncachedTokens(_ context: SchedulingContext, _ route: RouteSelection) -> Int {
        var context = context
        return route.pool.scheduler.uncachedTokens(
            &context,
            candidates: Candidates(route.pool.endpoints.current.available)
        )
    }

    private func rejection(for decision: FlowDecision) -> Rejection? {
        let waited = decision.waited.fractionalSeconds
        let retry = decision.retryAfterSeconds
        switch decision.outcome {
        case .dispatched: return nil
        case .rejectedCapacity:
            return Rejection(.queueFull, "request rejected pre-queue: queue at capacity", retryAfterSeconds: retry)
        case .rejectedNoEndpoints:
            return Rejection(.noEndpoints, "no endpoints available: request rejected pre-queue: queue at capacity")
        case .evictedTTL:
            return Rejection(
                .queueTimeout,
                "request timed out in queue: it waited \(Self.seconds(waited)) for its turn",
                retryAfterSeconds: retry
            )
        case .evictedNoEndpoints:
            return Rejection(
                .noEndpoints,
                "request timed out in queue and no endpoints are available: it waited \(Self.seconds(waited))"
            )
        case .evictedContextCancelled:
            return Rejection(.clientGone, "client disconnected: it waited \(Self.seconds(waited)) for its turn")
        case .rejectedShuttingDown:
            return Rejection(.shuttingDown, "flow controller shutting down: request rejected pre-queue")
        case .evictedShuttingDown:
            return Rejection(
                .shuttingDown,
                "flow controller shutting down: request waited \(Self.seconds(waited)) for its turn"
            )
        }
    }

    private static func seconds(_ value: Double) -> String {
        "\((value * 10).rounded() / 10) s"
    }
}

/// The facts about one attempt that say how long its endpoint took.
struct ServiceTiming {
    /// When it was sent.
    let sentAt: MonotonicInstant
    /// How many requests were open on the endpoint then, this one included.
    let openRequests: Int
    /// When the first byte of the response's body came.
    var firstByteAt: MonotonicInstant?
}
