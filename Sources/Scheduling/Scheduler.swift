package import GatewayCore

/// Turns a request and its candidates into a decision.
///
/// Synchronous and bounded: every producer runs once, every profile at most once. One instance serves a pool's requests
/// from any thread; all state of a decision is in its arguments.
package final class Scheduler: Sendable {
    private let pipeline: PluginPipeline
    private let runners: [ProfileRunner]
    private let profileNames: [String]

    /// Makes a scheduler that runs `pipeline`.
    package init(pipeline: PluginPipeline) {
        self.pipeline = pipeline
        runners = pipeline.profiles.map(ProfileRunner.init)
        profileNames = pipeline.profiles.map(\.name)
    }

    /// How many slots the scratch of a request must have; see ``RequestScratch/init(slotCount:)``.
    package var slotCount: Int { pipeline.slotCount }

    /// Chooses where `context.request` goes.
    ///
    /// - Parameters:
    ///   - context: the request with a scratch of ``slotCount`` slots; producers fill it.
    ///   - candidates: the endpoints that may serve it.
    /// - Throws: ``Rejection``: `saturated` when the filters left no candidate, what the profile handler throws,
    ///   `internalError` when a plugin broke its contract.
    package func schedule(
        _ context: inout SchedulingContext,
        candidates: Candidates
    ) throws(Rejection) -> SchedulingDecision {
        var trace: SchedulingTrace?
        return try schedule(&context, candidates: candidates, trace: &trace)
    }

    /// Chooses where `context.request` goes, and records why when `trace` is not `nil`; also when it throws.
    package func schedule(
        _ context: inout SchedulingContext,
        candidates: Candidates,
        trace: inout SchedulingTrace?
    ) throws(Rejection) -> SchedulingDecision {
        for producer in pipeline.producers {
            producer.produce(for: candidates, context: &context)
        }
        let progress = try runProfiles(candidates, context: &context, trace: &trace)
        guard progress.contains(where: { $0.result != nil }) else {
            throw Rejection(.saturated, "no endpoints available for the given request")
        }
        return try pipeline.handler.decide(profileNames, progress: progress, context: context)
    }

    /// Runs what the handler asks for, round by round. Each profile runs at most once, so a handler that never has
    /// enough ends in an error instead of a loop.
    private func runProfiles(
        _ candidates: Candidates,
        context: inout SchedulingContext,
        trace: inout SchedulingTrace?
    ) throws(Rejection) -> [ProfileProgress] {
        var progress = [ProfileProgress](repeating: .notRun, count: runners.count)
        while true {
            let round = pipeline.handler.nextProfiles(profileNames, progress: progress, context: context)
            if round.isEmpty { return progress }
            for index in round {
                guard runners.indices.contains(index) else {
                    throw Rejection(
                        .internalError,
                        "the profile handler asked for profile \(index) of \(runners.count)"
                    )
                }
                guard !progress[index].hasRun else {
                    throw Rejection(
                        .internalError,
                        "the profile handler asked for profile '\(profileNames[index])' twice"
                    )
                }
                let result = try runners[index].run(candidates, context: &context, trace: &trace)
                progress[index] = result.map(ProfileProgress.found) ?? .drained
            }
        }
    }

    /// Tells the plugins that a request is about to be sent to `decision`'s endpoint. Once per attempt.
    ///
    /// - Parameters:
    ///   - decision: the decision, with the endpoint of this attempt first.
    ///   - context: the context of ``schedule(_:candidates:)``.
    package func willSend(_ decision: SchedulingDecision, context: inout SchedulingContext) {
        for plugin in pipeline.preRequests {
            plugin.willSend(decision, context: &context)
        }
    }

    /// What the plugins add to the header of a response, in the order of the configuration.
    ///
    /// - Parameter served: the endpoint that a proxy says has answered; `nil` when nobody says.
    package func responseFields(of request: InferenceRequest, served: String?) -> [HeaderMutation.Field] {
        pipeline.responseHeaderProcessors.flatMap { $0.responseFields(of: request, served: served) }
    }

    /// Tells the plugins how an attempt ended. Once per attempt.
    package func didEnd(
        _ request: InferenceRequest,
        endpoint: EndpointSnapshot,
        outcome: RequestOutcome,
        usage: TokenUsage?
    ) {
        for plugin in pipeline.responseObservers {
            plugin.didEnd(request, endpoint: endpoint, outcome: outcome, usage: usage)
        }
    }

    /// Tells the plugins that an endpoint left the pool. Once per life of an endpoint.
    package func endpointDidLeave(_ endpoint: EndpointSnapshot) {
        for plugin in pipeline.endpointObservers {
            plugin.endpointDidLeave(endpoint)
        }
    }
}
