import GatewayCore

/// How full an engine is by its own account: its queue or its KV cache as a share of a threshold, whichever is more.
struct EngineUtilization: Sendable {
    private let queueDepthThreshold: Double
    private let kvCacheThreshold: Double

    /// Reads `queueDepthThreshold` (default 5, at least 1) and `kvCacheUtilThreshold` (default 0.8, above 0).
    ///
    /// - Parameter maxKVCacheThreshold: the highest threshold for the KV cache; without one there is no limit.
    init(parameters: ParameterDecoder, maxKVCacheThreshold: Double = .greatestFiniteMagnitude) {
        queueDepthThreshold = Double(parameters.int("queueDepthThreshold", default: 5, in: 1...(.max)))
        kvCacheThreshold = parameters.positive("kvCacheUtilThreshold", default: 0.8, atMost: maxKVCacheThreshold)
    }

    /// How the share is computed.
    var formula: String {
        "max(queue / \(queueDepthThreshold.written), KV-cache use / \(kvCacheThreshold.written))"
    }

    /// The share for `metrics`, 0 or more; 1 at a threshold, not clamped. A KV-cache use that is not a finite number
    /// says nothing, and the queue alone counts.
    ///
    /// - Parameter waiting: requests that wait beside those of `metrics`, 0 or more.
    func share(of metrics: EndpointMetrics, adding waiting: Double = 0) -> Double {
        let queue = (max(0, Double(metrics.waitingQueueSize)) + waiting) / queueDepthThreshold
        let cache = metrics.kvCacheUsage / kvCacheThreshold
        return max(0, queue, cache.isFinite ? cache : 0)
    }
}

extension ParameterDecoder {
    /// The number at `key`, which must be above 0 and at most `limit`; `fallback` when it is absent or wrong.
    func positive(_ key: String, default fallback: Double, atMost limit: Double = .greatestFiniteMagnitude) -> Double {
        double(key, default: fallback, in: .leastNonzeroMagnitude...limit)
    }

    /// `headroom`: by how much of a threshold an endpoint may be over it and still be chosen, 0 or more. A share, which
    /// is easily taken for a percentage.
    func headroom() -> Double {
        let headroom = double("headroom", default: 0, in: 0...1_000)
        if headroom > 1 {
            warn("\(headroom) means \(headroom * 100) %: it is a share, not a percentage", at: "headroom")
        }
        return headroom
    }
}
