import GatewayCore
import RequestFormats
import Telemetry

/// What one request adds to the metrics, from the moment it has a model to its end.
///
/// A plain value without allocations of its own; the edge calls it for each chunk of the response.
struct ResponseAccounting {
    private let metrics: RequestMetrics
    /// Nil while nobody knows whether a request with new labels is served.
    private var instruments: RequestInstruments?
    /// Where the request is in its trace, when that is sampled: what it adds to histograms can be found there.
    let trace: TraceContext?
    private let request: InferenceRequest
    private let api: InferenceAPI
    private let requestBytes: Int
    private var isEventStream = false
    private var reader: UsageReader?
    private(set) var firstByteAt: MonotonicInstant?
    private var lastByteAt: MonotonicInstant?
    private(set) var responseBytes = 0
    /// Nanoseconds of work on the answer's pieces.
    private var workNanoseconds: Int64 = 0
    private var isBodyWhole = false

    /// - Parameter recorded: the request's place in a trace that this gateway records; `nil` when it records none.
    init(_ request: InferenceRequest, api: InferenceAPI, recorded: TraceContext?, metrics: GatewayMetrics) {
        self.request = request
        self.api = api
        requestBytes = request.body.count
        self.metrics = metrics.requests
        trace = recorded ?? TraceContext.sampled(request.headers.first(TraceContext.headerName))
        let known = metrics.requests.knownInstruments(
            model: request.model,
            target: request.targetModel,
            fairnessID: request.fairnessLabel,
            priority: request.priority
        )
        if let known { begin(with: known) }
    }

    /// The request goes to an endpoint for the first time.
    mutating func sent() {
        guard instruments == nil else { return }
        begin(
            with: metrics.instruments(
                model: request.model,
                target: request.targetModel,
                fairnessID: request.fairnessLabel,
                priority: request.priority
            )
        )
    }

    private mutating func begin(with instruments: RequestInstruments) {
        self.instruments = instruments
        instruments.total.increment()
        instruments.running.increment()
        instruments.requestSize.observe(Double(requestBytes))
    }

    /// What a request counts on that is over: one that never was sent has no names of its own, as a rule.
    private mutating func settled() -> RequestInstruments {
        if let instruments { return instruments }
        let instruments = metrics.instrumentsOfRefused(
            model: request.model,
            target: request.targetModel,
            fairnessID: request.fairnessLabel,
            priority: request.priority
        )
        begin(with: instruments)
        return instruments
    }

    /// A response is about to be relayed.
    mutating func responseStarted(isEventStream: Bool) {
        self.isEventStream = isEventStream
        reader = api != .passthrough && api.reportsUsage ? UsageReader(api: api, isEventStream: isEventStream) : nil
    }

    /// A piece of the response's body.
    mutating func bytesReceived(_ bytes: RawSpan, at now: MonotonicInstant) {
        guard bytes.byteCount > 0 else { return }
        responseBytes += bytes.byteCount
        if let lastByteAt {
            if isEventStream { instruments?.interTokenLatency.observe(now.seconds(since: lastByteAt)) }
        } else {
            firstByteAt = now
            instruments?.timeToFirstToken(streaming: isEventStream)
                .observe(now.seconds(since: request.receivedAt), exemplar: trace)
        }
        lastByteAt = now
        reader?.consume(bytes)
    }

    /// The gateway worked on a piece of the response's body.
    mutating func worked(from start: MonotonicInstant, to end: MonotonicInstant) {
        workNanoseconds += end.nanoseconds &- start.nanoseconds
    }

    /// The response's body is whole. Returns the usage that it reported; `nil` when it reported none.
    mutating func bodyEnded() -> TokenUsage? {
        if !isBodyWhole {
            isBodyWhole = true
            reader?.finish()
        }
        return reader?.usage.map { usage in
            TokenUsage(
                promptTokens: usage.promptTokens,
                completionTokens: usage.completionTokens,
                cachedTokens: usage.cachedTokens
            )
        }
    }

    /// The request is over. Returns the usage that the response reported.
    mutating func ended(at now: MonotonicInstant, errorCode: String?) -> TokenUsage? {
        let instruments = settled()
        let duration = now.seconds(since: request.receivedAt)
        instruments.running.decrement()
        instruments.duration.observe(duration, exemplar: trace)
        if let errorCode { instruments.errors(code: errorCode).increment() }
        guard responseBytes > 0 else { return nil }
        instruments.responseSize.observe(Double(responseBytes))
        metrics.responseProcessing.observe(Double(workNanoseconds) * 1e-9)
        guard let usage = bodyEnded() else { return nil }
        instruments.inputTokens.observe(Double(usage.promptTokens))
        instruments.outputTokens.observe(Double(usage.completionTokens))
        instruments.cachedTokens.observe(Double(usage.cachedTokens))
        if usage.completionTokens > 0 {
            instruments.normalizedTimePerToken.observe(duration / Double(usage.completionTokens), exemplar: trace)
        }
        if isEventStream, usage.completionTokens > 1, let firstByteAt, let lastByteAt {
            let generation = lastByteAt.seconds(since: firstByteAt)
            let perToken = generation / Double(usage.completionTokens - 1)
            instruments.timePerOutputToken.observe(perToken, exemplar: trace)
        }
        return usage
    }
}
