import NIOHTTP1
import Telemetry

/// The span that vLLM makes of a request, with its name and its attributes: the last one of a trace that goes through a
/// gateway.
struct GenerationSpan {
    private let tracer: Tracer
    private let context: TraceContext
    private let parent: TraceContext?
    private let traceState: String
    private let startedAt: Int64
    /// When the request came, in the time of the engine.
    private let arrival: SimulatedTime
    private var attributes: [SpanAttribute]
    private var firstToken: SimulatedTime?
    private var firstScheduled: SimulatedTime?

    /// Begins the span of a request; `nil` when its trace is not recorded.
    init?(
        _ tracer: Tracer,
        _ headers: HTTPHeaders,
        _ attributes: [SpanAttribute],
        arrival: SimulatedTime,
        random: inout SeededRandom
    ) {
        let parents = headers["\(TraceContext.headerName)"]
        parent = parents.count == 1 ? TraceContext(parents[0]) : nil
        context = tracer.begin(under: parent, using: &random)
        guard context.isSampled else { return nil }
        traceState = parent == nil ? "" : headers["\(TraceContext.stateHeaderName)"].joined(separator: ",")
        self.tracer = tracer
        self.attributes = attributes
        self.arrival = arrival
        startedAt = tracer.unixNanoseconds()
    }

    /// Something happened to one of the request's sequences.
    mutating func note(_ event: EngineEvent) {
        switch event.kind {
        case .token: if firstToken == nil { firstToken = event.time }
        case .finished:
            if let scheduled = event.scheduledAt { firstScheduled = min(firstScheduled ?? scheduled, scheduled) }
        }
    }

    /// The answer is whole.
    func finish(_ usage: SimulatedUsage, at end: SimulatedTime) {
        var attributes = attributes
        func add(_ name: String, _ start: SimulatedTime, _ end: SimulatedTime) {
            attributes.append(SpanAttribute("gen_ai.latency.\(name)", .number(end.seconds(since: start))))
        }
        attributes.append(SpanAttribute("gen_ai.usage.prompt_tokens", usage.promptTokens))
        attributes.append(SpanAttribute("gen_ai.usage.completion_tokens", usage.outputTokens))
        add("e2e", arrival, end)
        if let firstToken { add("time_to_first_token", arrival, firstToken) }
        if let firstScheduled {
            add("time_in_queue", arrival, firstScheduled)
            add("time_in_model_inference", firstScheduled, end)
            if let firstToken {
                add("time_in_model_prefill", firstScheduled, firstToken)
                add("time_in_model_decode", firstToken, end)
            }
        }
        tracer.buffer.append([
            TraceSpan(
                context: context,
                parentSpanID: parent?.spanID ?? 0,
                hasRemoteParent: parent != nil,
                traceState: traceState,
                name: "llm_request",
                kind: .server,
                startedAt: startedAt,
                endedAt: tracer.unixNanoseconds(),
                attributes: attributes
            )
        ])
    }
}
