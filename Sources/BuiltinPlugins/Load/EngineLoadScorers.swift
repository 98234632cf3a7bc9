import GatewayCore

/// Prefers endpoints with few waiting requests: 1 for the shortest queue, 0 for the longest, linear between.
struct QueueScorer: Scorer {
    static let descriptor = PluginDescriptor(
        type: "queue-scorer",
        summary: "Prefers endpoints whose engine has few requests waiting."
    )

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func score(_ candidates: Candidates, context: SchedulingContext, into scores: inout MutableSpan<Double>) {
        scoreLowestBest(candidates, into: &scores) { $0.metrics.waitingQueueSize }
    }
}

/// Prefers endpoints with few running requests, on the scale of ``QueueScorer``.
struct RunningRequestsScorer: Scorer {
    static let descriptor = PluginDescriptor(
        type: "running-requests-size-scorer",
        summary: "Prefers endpoints whose engine has few requests running."
    )

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func score(_ candidates: Candidates, context: SchedulingContext, into scores: inout MutableSpan<Double>) {
        scoreLowestBest(candidates, into: &scores) { $0.metrics.runningRequests }
    }
}

/// Prefers endpoints with free KV cache: the share that is free.
struct KVCacheUtilizationScorer: Scorer {
    static let descriptor = PluginDescriptor(
        type: "kv-cache-utilization-scorer",
        summary: "Prefers endpoints whose engine has much of its KV cache free."
    )

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func score(_ candidates: Candidates, context: SchedulingContext, into scores: inout MutableSpan<Double>) {
        for index in scores.indices {
            scores[index] = 1 - candidates[index].metrics.kvCacheUsage
        }
    }
}

/// Prefers endpoints whose queue is empty, and of the others those with few waiting requests: 0.5 for an empty queue,
/// else `0.5 * (1 - min(q, T) / T)`. So it takes part in a choice without deciding it alone.
struct LoadAwareScorer: Scorer {
    static let descriptor = PluginDescriptor(
        type: "load-aware-scorer",
        summary: "Prefers endpoints whose engine has fewer requests waiting than a threshold."
    )

    private static let defaultThreshold = 128
    private let threshold: Double

    /// Reads `threshold` (default 128): the queue length from which on the score is 0.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        let threshold = parameters.int("threshold", default: Self.defaultThreshold)
        if threshold <= 0 { parameters.warn("is not above 0: \(Self.defaultThreshold) is used", at: "threshold") }
        self.threshold = Double(threshold > 0 ? threshold : Self.defaultThreshold)
    }

    func score(_ candidates: Candidates, context: SchedulingContext, into scores: inout MutableSpan<Double>) {
        for index in scores.indices {
            let queued = max(0, Double(candidates[index].metrics.waitingQueueSize))
            scores[index] = 0.5 * (1 - min(queued, threshold) / threshold)
        }
    }
}

/// Scores `(max - value) / (max - min)` over the candidates; 1 for all when their values are equal.
@inline(__always)
private func scoreLowestBest(
    _ candidates: Candidates,
    into scores: inout MutableSpan<Double>,
    value: (EndpointSnapshot) -> Int
) {
    var lowest = Double.infinity
    var highest = -Double.infinity
    for index in scores.indices {
        // Held in the score's place so that the metrics are read once.
        let number = Double(value(candidates[index]))
        scores[index] = number
        lowest = min(lowest, number)
        highest = max(highest, number)
    }
    guard highest > lowest else {
        for index in scores.indices { scores[index] = 1 }
        return
    }
    let range = highest - lowest
    for index in scores.indices { scores[index] = (highest - scores[index]) / range }
}
