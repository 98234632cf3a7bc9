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
