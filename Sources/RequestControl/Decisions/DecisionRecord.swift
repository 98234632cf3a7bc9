package import DataLayer
package import GatewayCore
package import Scheduling

/// One decision with all that led to it, for explanations. It holds nothing of the request's body. A class, so that a
/// log of many is a list of references.
package final class DecisionRecord: Sendable {
    /// The request's identifier; several attempts of one request have the same.
    package let requestID: String
    /// The attempt's number: 0 for the first.
    package let attempt: Int
    /// When the decision began.
    package let begunAt: MonotonicInstant
    /// How long it took, from the choice of candidates to the pick or the refusal.
    package let nanoseconds: Int64
    /// The pool.
    package let pool: PoolID
    /// The model that the client asked for.
    package let model: String
    /// The model that serves the request.
    package let targetModel: String
    /// The objective that the client named; empty for none.
    package let objective: String
    /// The request's priority.
    package let priority: Int
    /// The flow that fairness is kept for.
    package let fairnessID: String
    /// The estimated number of prompt tokens.
    package let inputTokens: Int
    /// How long the request waited for its turn; `nil` where requests do not wait.
    package let waited: Duration?
    /// The endpoints that were tried before.
    package let tried: [EndpointID]
    /// What was wrong with the last pages of the pool's endpoints, by endpoint and type of source; those without faults
    /// are left out.
    package let faults: [EndpointID: [String: [ScrapeFault]]]
    /// The endpoints that an operator took out, by name; empty most of the time.
    package let cordoned: [EndpointID]
    /// What each plugin did.
    package let trace: SchedulingTrace
    /// How many endpoints the trace has. A log asks for it twice, and to ask the trace would copy it.
    let endpointCount: Int
    /// The profile whose pick serves the request; `nil` when the request was refused.
    package let servingProfile: String?
    /// Why the request was refused; `nil` when it was not.
    package let rejection: Rejection?

    init(
        _ request: InferenceRequest,
        step: DecisionStep,
        attempt: Int,
        begunAt: MonotonicInstant,
        endedAt: MonotonicInstant,
        view: EndpointStoreView,
        trace: SchedulingTrace,
        servingProfile: String?,
        rejection: Rejection?
    ) {
        requestID = request.id
        self.attempt = attempt
        self.begunAt = begunAt
        nanoseconds = endedAt.nanoseconds &- begunAt.nanoseconds
        pool = step.pool.id
        model = request.model
        targetModel = request.targetModel
        objective = request.objective
        priority = request.priority
        fairnessID = request.fairnessID
        inputTokens = request.inputTokens
        waited = step.waited
        tried = step.tried
        faults = view.faults
        cordoned = view.cordoned.isEmpty ? [] : view.cordoned.sorted()
        endpointCount = trace.endpoints.count
        self.trace = trace
        self.servingProfile = servingProfile
        self.rejection = rejection
    }

    /// The endpoints that the serving profile picked, best first.
    package var picked: [EndpointID] {
        trace.runs.last { $0.profile == servingProfile }.map(trace.picked(in:)) ?? []
    }
}
