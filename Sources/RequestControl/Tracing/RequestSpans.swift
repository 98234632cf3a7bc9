import FlowControl
import GatewayCore
import RequestFormats
import Telemetry

/// Makes the spans of a request that has ended.
///
/// Names and attributes are those of llm-d's endpoint picker where it has them, else OpenTelemetry's for HTTP and for
/// generative AI; what neither has begins with `martlet.`.
struct RequestSpans {
    /// What is known of a request at its end.
    struct Ending {
        /// What became of it.
        let summary: RequestSummary
        /// Its API; `nil` when it was refused before that was known.
        let api: InferenceAPI?
        /// Its path.
        let path: String
        /// What flow control decided; `nil` where requests do not wait, and when it went away before that.
        let admission: FlowDecision?
    }

    let trace: RequestTrace
    let ending: Ending
    /// The id and the model, which every span of a request has.
    let common: [SpanAttribute]
    /// What makes an instant the nanoseconds since 1970.
    private let offset: Int64
    private(set) var spans: [TraceSpan] = []

    init(of trace: RequestTrace, _ ending: Ending, offset: Int64) {
        self.trace = trace
        self.ending = ending
        self.offset = offset
        let summary = ending.summary
        let id = SpanAttribute("gen_ai.request.id", summary.requestID)
        common = summary.model.isEmpty ? [id] : [id, SpanAttribute("gen_ai.request.model", summary.model)]
    }

    private var summary: RequestSummary { ending.summary }

    /// The spans: that of the whole request first, each behind the one that it is a part of.
    mutating func build() -> [TraceSpan] {
        spans.reserveCapacity(16)
        addRequest()
        addQueueWait(under: addDecisions())
        for number in trace.attempts.indices { addAttempt(number) }
        return spans
    }

    // MARK: - Adding

    /// Adds a span and returns its id.
    @discardableResult
    mutating func add(
        _ name: String,
        kind: TraceSpan.Kind = .internal,
        under parent: UInt64,
        from start: MonotonicInstant,
        to end: MonotonicInstant,
        _ attributes: [SpanAttribute],
        status: TraceSpan.Status = .unset
    ) -> UInt64 {
        let context = trace.context.child(using: &trace.ids)
        spans.append(
            TraceSpan(
                context: context,
                parentSpanID: parent,
                traceState: trace.traceState,
                name: name,
                kind: kind,
                startedAt: unix(start),
                endedAt: unix(end),
                attributes: attributes,
                status: status
            )
        )
        return context.spanID
    }

    private func unix(_ instant: MonotonicInstant) -> Int64 { instant.nanoseconds &+ offset }

    // MARK: - The whole request

    private mutating func addRequest() {
        var attributes = common
        attributes.append(SpanAttribute("http.request.method", summary.method))
        attributes.append(SpanAttribute("url.path", ending.path))
        if summary.status > 0 { attributes.append(SpanAttribute("http.response.status_code", summary.status)) }
        if let pool = summary.pool { attributes.append(SpanAttribute("martlet.pool", pool.name)) }
        attributes += generation + destination
        if let outcome = summary.outcome { attributes.append(SpanAttribute("martlet.outcome", outcome.rawValue)) }
        if let rejection = summary.rejection {
            attributes.append(SpanAttribute("martlet.reason", rejection.reason.rawValue))
        }
        var events: [TraceSpan.Event] = []
        if let first = summary.firstByteAt { events.append(TraceSpan.Event(name: "first_token", at: unix(first))) }
        let fault = requestFault
        if let fault { attributes.append(SpanAttribute("error.type", fault.type)) }
        spans.append(
            TraceSpan(
                context: trace.context,
                parentSpanID: trace.parent?.spanID ?? 0,
                hasRemoteParent: trace.parent != nil,
                traceState: trace.traceState,
                name: "gateway.request",
                kind: .server,
                startedAt: unix(summary.receivedAt),
                endedAt: unix(summary.endedAt),
                attributes: attributes,
                events: events,
                status: fault.map { .error($0.message) } ?? .unset
            )
        )
    }

    /// What went wrong, as far as it is not the client's own fault: those requests went as they should.
    private var requestFault: (type: String, message: String)? {
        if let rejection = summary.rejection {
            let isClientFault = summary.status < 500 && summary.status != 429
            return isClientFault ? nil : (rejection.reason.rawValue, rejection.message)
        }
        if summary.status >= 500 { return (String(summary.status), "the endpoint answered \(summary.status)") }
        switch summary.outcome {
        case nil, .completed, .clientDisconnected: return nil
        case .some(let outcome): return (outcome.rawValue, "the request ended as \(outcome.rawValue)")
        }
    }

    /// What is known of the generation of tokens.
    private var generation: [SpanAttribute] {
        var attributes: [SpanAttribute] = []
        if let operation = ending.api?.operationName {
            attributes.append(SpanAttribute("gen_ai.operation.name", operation))
        }
        if !summary.targetModel.isEmpty, summary.targetModel != summary.model {
            attributes.append(SpanAttribute("martlet.target_model", summary.targetModel))
        }
        if let usage = summary.usage {
            attributes.append(SpanAttribute("gen_ai.usage.input_tokens", usage.promptTokens))
            attributes.append(SpanAttribute("gen_ai.usage.output_tokens", usage.completionTokens))
            attributes.append(SpanAttribute("gen_ai.usage.cache_read.input_tokens", usage.cachedTokens))
        }
        if let first = summary.firstByteAt {
            let seconds = first.seconds(since: summary.receivedAt)
            attributes.append(SpanAttribute("gen_ai.server.time_to_first_token", .number(seconds)))
        }
        return attributes
    }

    /// Where the request went.
    private var destination: [SpanAttribute] {
        guard let endpoint = summary.endpoint else { return [] }
        var attributes = [
            SpanAttribute("martlet.endpoint", endpoint.name), SpanAttribute("martlet.attempts", summary.attempts),
        ]
        // The port stands behind the last colon, also of an IPv6 address, whose host is in brackets.
        if let colon = summary.destination.lastIndex(of: ":") {
            let host = summary.destination[..<colon].drop { $0 == "[" }.prefix { $0 != "]" }
            attributes.append(SpanAttribute("server.address", String(host)))
            let port = Int(summary.destination[summary.destination.index(after: colon)...])
            if let port { attributes.append(SpanAttribute("server.port", port)) }
        }
        return attributes
    }

    // MARK: - Its parts

    private mutating func addQueueWait(under parent: UInt64) {
        guard let start = trace.queuedAt else { return }
        let outcome = ending.admission?.outcome ?? .evictedContextCancelled
        let end = summary.waited.map { start.advanced(by: $0) } ?? summary.endedAt
        let attributes =
            common + [
                SpanAttribute("martlet.flow.outcome", outcome.rawValue),
                SpanAttribute("martlet.flow.fairness_id", summary.fairnessID),
                SpanAttribute("martlet.flow.priority", summary.priority),
            ]
        let status: TraceSpan.Status = outcome == .dispatched ? .unset : .error(outcome.rawValue)
        add("gateway.queue_wait", under: parent, from: start, to: end, attributes, status: status)
    }

    /// Adds what the gateway itself did for the request: one span for each decision, or one without any decision for a
    /// request that was refused before. Returns the id of the first.
    private mutating func addDecisions() -> UInt64 {
        guard let first = trace.decisions.first else { return addOrchestration(until: summary.endedAt) }
        let id = addOrchestration(until: first.endedAt, first)
        addDecision(first, under: id)
        for decision in trace.decisions.dropFirst() {
            let retry = addOrchestration(from: decision.record.begunAt, until: decision.endedAt, decision)
            addDecision(decision, under: retry)
        }
        return id
    }

    private mutating func addOrchestration(
        from start: MonotonicInstant? = nil,
        until end: MonotonicInstant,
        _ decision: RequestTrace.Decision? = nil
    ) -> UInt64 {
        var attributes = common
        attributes.append(SpanAttribute("target_model", summary.targetModel))
        attributes.append(SpanAttribute("request_prio", summary.priority))
        if let attempt = decision?.record.attempt, attempt > 0 {
            attributes.append(SpanAttribute("http.request.resend_count", attempt))
        }
        // Without a decision the request was refused on its way to one, or it left.
        let rejection = decision == nil ? summary.rejection : decision?.record.rejection
        if let rejection { attributes.append(SpanAttribute("martlet.reason", rejection.reason.rawValue)) }
        return add(
            "gateway.request_orchestration",
            kind: .server,
            under: trace.context.spanID,
            from: start ?? trace.begunAt,
            to: end,
            attributes,
            status: rejection.map { .error($0.message) } ?? .unset
        )
    }

    private mutating func addAttempt(_ number: Int) {
        let attempt = trace.attempts[number]
        let isLast = number == trace.attempts.count - 1
        var attributes = common
        attributes.append(SpanAttribute("server.address", attempt.address.host))
        attributes.append(SpanAttribute("server.port", attempt.address.port))
        attributes.append(SpanAttribute("martlet.endpoint", attempt.endpoint.id.name))
        attributes.append(SpanAttribute("http.request.method", summary.method))
        if number > 0 { attributes.append(SpanAttribute("http.request.resend_count", number)) }
        if let engine = attempt.endpoint.labels["llm-d.ai/engine-type"] {
            attributes.append(SpanAttribute("gen_ai.provider.name", engine))
        }
        if attempt.failure == nil, isLast { attributes += generation }
        let (status, fault) = end(of: attempt, isLast: isLast)
        if let status { attributes.append(SpanAttribute("http.response.status_code", status)) }
        if let fault { attributes.append(SpanAttribute("error.type", fault.type)) }
        let operation = ending.api?.operationName
        spans.append(
            TraceSpan(
                context: attempt.context,
                parentSpanID: trace.context.spanID,
                traceState: trace.traceState,
                name: operation.map { "\($0) \(summary.targetModel)" } ?? summary.method,
                kind: .client,
                startedAt: unix(attempt.begunAt),
                endedAt: unix(attempt.failedAt ?? summary.endedAt),
                attributes: attributes,
                status: fault.map { .error($0.message) } ?? .unset
            )
        )
    }

    /// The status that the endpoint answered with, and what went wrong with it.
    private func end(
        of attempt: RequestTrace.Attempt,
        isLast: Bool
    ) -> (status: Int?, fault: (type: String, message: String)?) {
        if let failure = attempt.failure {
            let status: Int? = if case .status(let status) = failure { status } else { nil }
            return (status, (failure.label, failure.detail))
        }
        guard isLast, summary.rejection == nil else { return (nil, nil) }
        let status = summary.status > 0 ? summary.status : nil
        if let status, status >= 400 { return (status, (String(status), "the endpoint answered \(status)")) }
        return (status, requestFault)
    }
}

extension RequestTrace.Decision {
    /// When the decision was made, with everything that follows from it.
    fileprivate var endedAt: MonotonicInstant {
        preparedAt ?? MonotonicInstant(nanoseconds: record.begunAt.nanoseconds &+ record.nanoseconds)
    }
}

extension InferenceAPI {
    /// OpenTelemetry's word for what is asked of a model; `nil` where there is none.
    fileprivate var operationName: String? {
        switch self {
        case .chatCompletions, .responses, .messages, .vertexChatCompletions, .vertexRawPredict: "chat"
        case .completions, .vllmGenerate, .sglangGenerate, .vllmGRPCGenerate: "text_completion"
        case .embeddings, .vllmGRPCEmbed: "embeddings"
        case .images, .audio: "generate_content"
        case .chatCompletionsRender, .completionsRender, .conversations, .messagesCountTokens, .foreign, .passthrough:
            nil
        }
    }
}
