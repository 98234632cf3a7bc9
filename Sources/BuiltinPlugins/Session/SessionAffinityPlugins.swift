import GatewayCore

/// What both plugins do beside filtering or scoring.
private protocol SessionKeeper: DataProducer, PreRequest, ResponseHeaderProcessor, EndpointObserver {
    var affinity: SessionAffinity { get }
}

extension SessionKeeper {
    func produce(for candidates: Candidates, context: inout SchedulingContext) { affinity.lookUp(&context) }

    func willSend(_ decision: SchedulingDecision, context: inout SchedulingContext) {
        affinity.bind(decision, &context)
    }

    func responseFields(of response: ServedResponse) -> [HeaderMutation.Field] { affinity.responseFields(of: response) }

    func endpointDidLeave(_ endpoint: EndpointSnapshot) { affinity.forget(endpoint) }
}

/// Keeps only the endpoint of the request's session; all when the session has none or it is not among the candidates.
struct SessionAffinityFilter: Filter, SessionKeeper {
    static let descriptor = PluginDescriptor(
        type: "session-affinity-filter",
        stability: .alpha,
        summary: "Keeps the endpoint that served the request's session before."
    )

    fileprivate let affinity: SessionAffinity

    /// Reads the parameters of ``SessionAffinity``.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        affinity = SessionAffinity(parameters: parameters, context: &context)
    }

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {
        guard let endpoint = affinity.endpoint(context) else { return }
        candidates.keep(orAll: true) { $0.id == endpoint }
    }

    func rule(in context: SchedulingContext) -> String {
        "the session's endpoint is \(affinity.endpoint(context)?.description ?? "unknown")"
    }
}

/// Prefers the endpoint of the request's session: 1 for that one, 0 for all others.
struct SessionAffinityScorer: Scorer, SessionKeeper {
    static let descriptor = PluginDescriptor(
        type: "session-affinity-scorer",
        stability: .alpha,
        summary: "Prefers the endpoint that served the request's session before."
    )

    fileprivate let affinity: SessionAffinity

    /// Reads the parameters of ``SessionAffinity``.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        affinity = SessionAffinity(parameters: parameters, context: &context)
    }

    func score(_ candidates: Candidates, context: SchedulingContext, into scores: inout MutableSpan<Double>) {
        guard let endpoint = affinity.endpoint(context) else { return }
        for index in scores.indices where candidates[index].id == endpoint { scores[index] = 1 }
    }
}
