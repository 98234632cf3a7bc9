import GatewayCore
import RequestFormats
import Telemetry

/// What one request adds to the metrics, from the moment it has a model to its end.
///
/// A plain value without allocations of its own; the edge calls it for each chunk of the response.
struct ResponseAccounting {
    private let instruments: RequestInstruments
    private let request: InferenceRequest
    private let api: InferenceAPI
    private let requestBytes: Int
    private var isEventStream = false
    private var reader: UsageReader?
    private(set) var firstByteAt: MonotonicInstant?
    private var lastByteAt: MonotonicInstant?
    private(set) var responseBytes = 0
    private var isBodyWhole = false

    init(_ request: InferenceRequest, api: InferenceAPI, metrics: GatewayMetrics) {
        self.request = request
        self.api = api
        requestBytes = request.body.count
        instruments = metrics.requests.instruments(
            model: request.model,
            target: request.targetModel,
            fairnessID: request.fairnessLabel,
            priority: request.priority
        )
        instruments.total.increment()
        instruments.running.increment()
        instruments.requestSize.observe(Double(requestBytes))
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
            if isEventStream { instruments.interTokenLatency.observe(now.seconds(since: lastByteAt)) }
        } else {
            firstByteAt = now
            instruments.timeToFirstToken(streaming: isEventStream)
                .observe(now.seconds(since: request.receivedAt))
        }
        lastByteAt = now
        reader?.consume(bytes)
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
        instruments.running.decrement()
        instruments.duration.observe(now.seconds(since: request.receivedAt))
        if let errorCode { instruments.errors(code: errorCode).increment() }
        guard responseBytes > 0 else { return nil }
        instruments.responseSize.observe(Double(responseBytes))
        guard let usage = bodyEnded() else { return nil }
        instruments.inputTokens.observe(Double(usage.promptTokens))
        instruments.outputTokens.observe(Double(usage.completionTokens))
        instruments.cachedTokens.observe(Double(usage.cachedTokens))
        if isEventStream, usage.completionTokens > 1, let firstByteAt, let lastByteAt {
            let generation = lastByteAt.seconds(since: firstByteAt)
            instruments.timePerOutputToken.observe(generation / Double(usage.completionTokens - 1))
        }
        return usage
    }
}
