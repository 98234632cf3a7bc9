import GatewayCore

/// Prefers endpoints that have the request's adapter loaded, then those with room for it, then those that will load it.
///
/// 1 when the adapter is active, 0.8 when another one still fits, 0.6 when requests already wait for it there, else 0.
/// An engine that has told nothing of adapters is taken to have room: vLLM tells nothing before its first request, and
/// a new replica would never get one. Adapters that are both active and waited for count once: vLLM reports the two
/// sets as equal while an adapter is busy.
struct LoRAAffinityScorer: Scorer {
    static let descriptor = PluginDescriptor(
        type: "lora-affinity-scorer",
        summary: "Prefers endpoints that have the request's LoRA adapter loaded or have room for it."
    )

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func score(_ candidates: Candidates, context: SchedulingContext, into scores: inout MutableSpan<Double>) {
        let adapter = context.request.targetModel
        for index in scores.indices {
            scores[index] = Self.score(adapter, on: candidates[index])
        }
    }

    private static func score(_ adapter: String, on endpoint: EndpointSnapshot) -> Double {
        let active = endpoint.metrics.activeModels
        if active.contains(adapter) { return 1 }
        let waiting = endpoint.metrics.waitingModels
        if endpoint.metrics.maxActiveModels == 0, active.isEmpty, waiting.isEmpty { return 0.8 }
        let onlyWaiting = waiting.reduce(0) { active.contains($1) ? $0 : $0 + 1 }
        if active.count + onlyWaiting < endpoint.metrics.maxActiveModels { return 0.8 }
        return waiting.contains(adapter) ? 0.6 : 0
    }
}
