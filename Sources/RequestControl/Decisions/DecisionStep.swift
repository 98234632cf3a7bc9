import DataLayer
import GatewayCore
import Scheduling

/// The fourth to sixth step of a request: who may serve it, and who does.
struct DecisionStep {
    let pool: PoolRuntime
    /// The endpoints that were tried before.
    let tried: [EndpointID]
    /// The endpoints that the proxy allows; `nil` for all.
    let subset: EndpointSubset?
    /// How long the request waited for its turn; `nil` where requests do not wait.
    var waited: Duration?

    /// Chooses.
    func decide(_ context: inout SchedulingContext) throws(Rejection) -> SchedulingDecision {
        var untraced: SchedulingTrace?
        return try decide(&context, in: pool.endpoints.current, trace: &untraced)
    }

    /// Chooses among the endpoints of `view`. When `trace` is not `nil`, it tells how, also when this throws.
    private func decide(
        _ context: inout SchedulingContext,
        in view: EndpointStoreView,
        trace: inout SchedulingTrace?
    ) throws(Rejection) -> SchedulingDecision {
        let candidates = try CandidateSelection.candidates(
            in: view,
            model: context.request.targetModel,
            askedAs: context.request.model,
            excluding: tried,
            subset: subset,
            pool: pool.id
        )
        return try pool.scheduler.schedule(&context, candidates: candidates, trace: &trace)
    }

    /// The record of a request that was refused before anything was chosen.
    func refused(
        _ request: InferenceRequest,
        _ rejection: Rejection,
        begunAt begun: MonotonicInstant,
        clock: any MonotonicClock
    ) -> DecisionRecord {
        DecisionRecord(
            request,
            step: self,
            attempt: 0,
            begunAt: begun,
            endedAt: begun,
            view: pool.endpoints.current,
            trace: pool.scheduler.trace(clock: clock, begunAt: begun),
            servingProfile: nil,
            rejection: rejection
        )
    }

    /// Chooses, and gives a record of it to `keep`, also when this throws.
    func decide(
        _ context: inout SchedulingContext,
        attempt: Int,
        begunAt begun: MonotonicInstant,
        clock: any MonotonicClock,
        keep: (DecisionRecord) -> Void
    ) throws(Rejection) -> SchedulingDecision {
        let view = pool.endpoints.current
        var trace: SchedulingTrace? = pool.scheduler.trace(clock: clock, begunAt: begun)
        func record(until end: MonotonicInstant?, servingProfile: String?, rejection: Rejection?) {
            guard let trace = trace.take() else { return }
            keep(
                DecisionRecord(
                    context.request,
                    step: self,
                    attempt: attempt,
                    begunAt: begun,
                    endedAt: end ?? trace.lastInstant,
                    view: view,
                    trace: trace,
                    servingProfile: servingProfile,
                    rejection: rejection
                )
            )
        }
        do throws(Rejection) {
            let decision = try decide(&context, in: view, trace: &trace)
            record(until: nil, servingProfile: decision.primary.profile, rejection: nil)
            return decision
        } catch {
            record(until: clock.now, servingProfile: nil, rejection: error)
            throw error
        }
    }
}
