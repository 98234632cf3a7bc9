package import GatewayCore
package import Telemetry

/// Turns a request and its candidates into a decision.
///
/// A request of negative priority is refused while the pool is saturated. Screeners narrow the candidates, producers
/// compute data about them, admitters may refuse the request, profiles choose. Synchronous and bounded: every producer
/// runs once, every profile at most once. One instance serves a pool's requests from any thread; all state of a
/// decision is in its arguments.
package final class Scheduler: Sendable {
    private let pipeline: PluginPipeline
    private let runners: [ProfileRunner]
    private let profileNames: [String]
    private let outline: TraceOutline
    private let meter: SchedulerMeter?

    /// Makes a scheduler that runs `pipeline`; without `metrics` it counts nothing.
    package init(pipeline: PluginPipeline, metrics: SchedulingMetrics? = nil) {
        self.pipeline = pipeline
        let outline = TraceOutline(pipeline)
        self.outline = outline
        runners = pipeline.profiles.enumerated().map { number, profile in
            ProfileRunner(profile: profile, number: number, firstPlugin: outline.firstOfProfile[number])
        }
        profileNames = pipeline.profiles.map(\.name)
        meter = metrics.map { SchedulerMeter(pipeline, outline: outline, metrics: $0) }
    }

    /// How many slots the scratch of a request must have; see ``RequestScratch/init(slotCount:)``.
    package var slotCount: Int { pipeline.slotCount }

    /// What reads formats of requests that the gateway does not know.
    package var bodyParsers: [any BodyParser] { pipeline.bodyParsers }

    /// An empty record of a decision that began at `begunAt` and whose times are `clock`'s.
    package func trace(clock: any MonotonicClock, begunAt: MonotonicInstant) -> SchedulingTrace {
        SchedulingTrace(outline: outline, clock: clock, begunAt: begunAt)
    }

    /// Chooses where `context.request` goes.
    ///
    /// - Parameters:
    ///   - context: the request with a scratch of ``slotCount`` slots; producers fill it.
    ///   - candidates: the endpoints that may serve it.
    /// - Throws: ``Rejection``: `shed` for a negative priority in a saturated pool, `noEndpoints` when screeners left
    ///   no candidate, what an admitter or the profile handler throws (`saturated` when filters left no candidate),
    ///   `preconditionFailed` when the request wants to be served from a cache which the chosen endpoint does not have,
    ///   `internalError` when a plugin broke its contract.
    package func schedule(
        _ context: inout SchedulingContext,
        candidates: Candidates
    ) throws(Rejection) -> SchedulingDecision {
        var trace: SchedulingTrace?
        return try schedule(&context, candidates: candidates, trace: &trace)
    }

    /// Chooses where `context.request` goes, and records why when `trace`, which this scheduler made, is not `nil`;
    /// also when it throws.
    package func schedule(
        _ context: inout SchedulingContext,
        candidates: Candidates,
        trace: inout SchedulingTrace?
    ) throws(Rejection) -> SchedulingDecision {
        trace?.begin(candidates)
        var candidates = candidates
        if pipeline.flowControl == nil {
            try shed(context, candidates: candidates)
        } else {
            keepThoseWithRoom(&candidates, now: context.now, trace: &trace)
        }
        try screen(&candidates, context: &context, trace: &trace)
        for index in pipeline.producers.indices {
            pipeline.producers[index].plugin.produce(for: candidates, context: &context)
            trace?.note(outline.producers + index)
        }
        for index in pipeline.admitters.indices {
            defer { trace?.note(outline.admitters + index) }
            try pipeline.admitters[index].plugin.admit(candidates, context: &context)
        }
        let progress = try runProfiles(candidates, context: &context, trace: &trace)
        let decision = try pipeline.handler.decide(profileNames, progress: progress, context: &context)
        try checkPrecondition(decision, context)
        return decision
    }

    /// Refuses a request that wants to be served only by an endpoint which holds its prompt, where the chosen one does
    /// not. Where nothing knows what endpoints hold, the wish is none of ours.
    private func checkPrecondition(_ decision: SchedulingDecision, _ context: SchedulingContext) throws(Rejection) {
        guard !pipeline.prefixCacheProducers.isEmpty, context.request.headers.hasPreference("if-available") else {
            return
        }
        let isHeld = pipeline.prefixCacheProducers.contains { $0.holdsPrefix(of: context, on: decision.endpoint) }
        guard isHeld else { throw Rejection(.preconditionFailed, "no decode worker has the requested KV cache") }
    }

    /// Runs the screeners.
    private func screen(
        _ candidates: inout Candidates,
        context: inout SchedulingContext,
        trace: inout SchedulingTrace?
    ) throws(Rejection) {
        for index in pipeline.screeners.indices {
            let screener = pipeline.screeners[index]
            let before = candidates.count
            screener.plugin.screen(&candidates, context: &context)
            if candidates.count == before {
                trace?.note(index)
            } else {
                trace?.note(index, left: candidates.positions, rule: screener.plugin.rule(in: context))
            }
            if candidates.isEmpty {
                throw Rejection(
                    .noEndpoints,
                    "screeners eliminated all endpoint candidates: '\(screener.name)' left none of \(before) by its "
                        + "rule: \(screener.plugin.rule(in: context))"
                )
            }
        }
    }

    /// Refuses a request that may be shed while the pool is saturated. A retry is asked too: one more attempt in a full
    /// pool is what the pool can do without.
    private func shed(_ context: SchedulingContext, candidates: Candidates) throws(Rejection) {
        guard context.request.priority < 0, let detector = pipeline.saturationDetector,
            detector.saturation(of: candidates, now: context.now) >= 1
        else { return }
        throw Rejection(.shed, "system saturated, sheddable request dropped")
    }

    /// Leaves out the endpoints that are full, unless all of their part in requests are: flow control let the request
    /// go because one is not.
    private func keepThoseWithRoom(
        _ candidates: inout Candidates,
        now: MonotonicInstant,
        trace: inout SchedulingTrace?
    ) {
        guard let detector = pipeline.saturationDetector else { return }
        let hasRoom = { (endpoint: EndpointSnapshot) in
            (detector.fullness(of: endpoint, adding: .none, now: now) ?? 0) < 1
        }
        var free = candidates
        free.keep(where: hasRoom)
        guard free.count < candidates.count else { return }
        // Each part of the pool for itself: a full prefill worker is not made up for by a free decode worker.
        let prefills = free.positions.contains { free.all[$0].role.prefills }
        let decodes = free.positions.contains { free.all[$0].role.decodes }
        candidates.keep { hasRoom($0) || ($0.role.prefills && !prefills) || ($0.role.decodes && !decodes) }
        trace?.note(
            outline.detector,
            left: candidates.positions,
            rule: "flow control sends nothing to endpoints that are full"
        )
    }

    /// Counts how long the steps of a decision took, by the `trace` that this scheduler filled.
    package func countSteps(of trace: SchedulingTrace) {
        meter?.countSteps(of: trace)
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
            let round = pipeline.handler.nextProfiles(profileNames, progress: progress, context: &context)
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
        meter?.willSend(decision, context)
        for plugin in pipeline.preRequests {
            plugin.willSend(decision, context: &context)
        }
    }

    /// The name of the plugin that says what a request adds to the load of an endpoint; empty when none does.
    package var loadEstimatorName: String { pipeline.loadEstimatorName }

    /// How many blocks the plugins that remember prefixes remember, by name and type; without those that do not tell.
    package var rememberedPrefixes: [(name: String, type: String, blocks: Int)] {
        pipeline.plugins.compactMap { instance in
            guard let producer = instance.plugin as? any PrefixCacheProducer, let blocks = producer.rememberedBlocks
            else { return nil }
            return (instance.name, instance.type, blocks)
        }
    }

    /// For whom a request with `headers` is, by the first plugin that knows; `nil` when none does.
    package func agent(in headers: HeaderMap) -> String? {
        pipeline.agentIdentifiers.lazy.compactMap { $0.agent(in: headers) }.first
    }

    /// What the request of `context` adds to the load of `endpoint`.
    package func load(of context: SchedulingContext, on endpoint: EndpointSnapshot) -> LoadEstimate {
        pipeline.loadEstimator?.load(of: context, on: endpoint) ?? LoadEstimate(tokens: context.request.inputTokens)
    }

    /// What the plugins add to the header of a response, in the order of the configuration.
    package func responseFields(of response: ServedResponse) -> [HeaderMutation.Field] {
        pipeline.responseHeaderProcessors.flatMap { $0.responseFields(of: response) }
    }

    /// Tells the plugins how an endpoint answered a request.
    package func served(_ request: ServedRequest) {
        for plugin in pipeline.serviceObservers { plugin.served(request) }
    }

    /// How requests wait for their turn; `nil` when they do not.
    package var flowControl: FlowControlSettings? { pipeline.flowControl }

    /// Says how full the pool is; `nil` when nobody knows.
    package var saturationDetector: (any SaturationDetector)? { pipeline.saturationDetector }

    /// The prompt tokens of `context.request` that none of `candidates` is believed to hold, by the first plugin that
    /// knows; all of them where none does.
    package func uncachedTokens(_ context: inout SchedulingContext, candidates: Candidates) -> Int {
        let tokens = context.request.inputTokens
        guard let producer = pipeline.prefixCacheProducers.first, !candidates.isEmpty else { return tokens }
        producer.produce(for: candidates, context: &context)
        var cached = 0
        for position in candidates.positions {
            cached = max(cached, producer.cachedTokens(of: context, on: candidates.all[position]))
        }
        return max(0, tokens - cached)
    }

    /// Whether any plugin wants to report the token usage of responses.
    package var reportsUsage: Bool { !pipeline.responseReporters.isEmpty }

    /// What the plugins tell the proxy in front about a response's token usage, in the order of the configuration.
    package func report(_ usage: TokenUsage, of request: InferenceRequest) -> [ReportedNumber] {
        pipeline.responseReporters.flatMap { $0.report(usage, of: request) }
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
