public import GatewayCore

// Values for tests with only what the test cares about spelled out.

extension EndpointSnapshot {
    /// An endpoint called `name` at 10.0.0.x:8000 in `slot`, with `requestsInFlight` requests without tokens.
    public static func sample(
        _ name: String,
        slot: Int = 0,
        incarnation: Int = 0,
        labels: [String: String] = [:],
        metrics: EndpointMetrics = EndpointMetrics(),
        metricsUpdatedAt: MonotonicInstant? = MonotonicInstant(nanoseconds: 0),
        requestsInFlight: Int = 0
    ) -> EndpointSnapshot {
        let load = EndpointLoad()
        for _ in 0..<requestsInFlight { load.add(tokens: 0) }
        return EndpointSnapshot(
            id: EndpointID(name: name),
            slot: slot,
            incarnation: incarnation,
            address: EndpointAddress(host: "10.0.\(slot / 250).\(1 + slot % 250)", port: 8000),
            labels: labels,
            metrics: metrics,
            metricsUpdatedAt: metricsUpdatedAt,
            load: load
        )
    }
}

extension Candidates {
    /// One endpoint per element of `metrics`, named `e0`, `e1`, … in slots 0, 1, …
    public static func sample(_ metrics: [EndpointMetrics]) -> Candidates {
        Candidates(metrics.enumerated().map { .sample("e\($0)", slot: $0, metrics: $1) })
    }

    /// `count` idle endpoints, named `e0`, `e1`, … in slots 0, 1, …
    public static func sample(count: Int) -> Candidates {
        sample(Array(repeating: EndpointMetrics(), count: count))
    }
}

extension InferenceRequest {
    /// A request for `model` whose body is `prompt` and nothing else.
    public static func sample(
        id: String = "request-1",
        model: String = "model",
        targetModel: String? = nil,
        prompt: String = "",
        cacheSalt: String = ""
    ) -> InferenceRequest {
        let bytes = Array(prompt.utf8)
        return InferenceRequest(
            id: id,
            model: model,
            targetModel: targetModel,
            body: ArrayBody(bytes),
            promptRanges: bytes.isEmpty ? [] : [0..<bytes.count],
            cacheSalt: cacheSalt,
            inputTokens: (bytes.count + 3) / 4
        )
    }
}

extension SchedulingContext {
    /// A context for `request`, at instant 0 unless `now` says otherwise.
    public static func sample(
        _ request: InferenceRequest = .sample(),
        slotCount: Int = 0,
        seed: UInt64 = 1,
        at now: MonotonicInstant = MonotonicInstant(nanoseconds: 0)
    ) -> SchedulingContext {
        SchedulingContext(
            request: request,
            now: now,
            scratch: RequestScratch(slotCount: slotCount),
            random: RandomSource(seed: seed)
        )
    }
}
