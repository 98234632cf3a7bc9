package import GatewayCore

/// What would become of a request, and why. Nothing is sent, counted or remembered.
package enum Explanation: Sendable {
    /// The pool was found, and this was decided; also when nobody was picked.
    case decided(DecisionRecord)
    /// The request was refused before its pool was known.
    case refused(Rejection)
}

extension RequestController {
    /// Goes the way of a request that came in on the listeners of `routes`, without sending it.
    ///
    /// The answer is that of this moment and of one draw of the random choices; a request that comes later may go
    /// elsewhere.
    package func explain(_ request: IncomingRequest, routes: RouteTableKey) -> Explanation {
        var random = randomSource()
        do throws(Rejection) {
            let resolution = try RequestResolution(
                request,
                state: state,
                routes: routes,
                isBehindProxy: false,
                controller: self,
                random: &random
            )
            var context = resolution.context
            let step = DecisionStep(pool: resolution.route.pool, tried: [], subset: request.endpointSubset)
            return try explain(&context, step)
        } catch {
            return .refused(error)
        }
    }

    /// - Throws: the refusal of a decision that left no record.
    private func explain(_ context: inout SchedulingContext, _ step: DecisionStep) throws(Rejection) -> Explanation {
        var kept: DecisionRecord?
        do throws(Rejection) {
            _ = try step.decide(&context, attempt: 0, begunAt: clock.now, clock: clock) { kept = $0 }
        } catch {
            if kept == nil { throw error }
        }
        guard let kept else { throw Rejection(.internalError, "the decision left no record") }
        return .decided(kept)
    }
}
