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

    /// Chooses. When `trace` is not `nil`, it tells how, also when this throws.
    func decide(
        _ context: inout SchedulingContext,
        trace: inout SchedulingTrace?
    ) throws(Rejection) -> SchedulingDecision {
        let candidates = try CandidateSelection.candidates(
            in: pool.endpoints.current,
            model: context.request.targetModel,
            askedAs: context.request.model,
            excluding: tried,
            subset: subset,
            pool: pool.id
        )
        return try pool.scheduler.schedule(&context, candidates: candidates, trace: &trace)
    }

    /// Chooses, and makes a record of it.
    func recorded(
        _ context: inout SchedulingContext,
        attempt: Int,
        clock: any MonotonicClock
    ) -> (record: DecisionRecord, result: Result<SchedulingDecision, Rejection>) {
        let begun = clock.now
        var trace: SchedulingTrace? = SchedulingTrace(clock: clock)
        let result: Result<SchedulingDecision, Rejection>
        do throws(Rejection) {
            result = .success(try decide(&context, trace: &trace))
        } catch {
            result = .failure(error)
        }
        let record = DecisionRecord(
            context.request,
            attempt: attempt,
            begunAt: begun,
            nanoseconds: clock.now.nanoseconds &- begun.nanoseconds,
            pool: pool.id,
            tried: tried,
            trace: trace ?? SchedulingTrace(clock: clock),
            result: result
        )
        return (record, result)
    }
}
