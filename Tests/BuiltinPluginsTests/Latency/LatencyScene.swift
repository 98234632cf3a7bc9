import GatewayCore
import GatewayTesting

@testable import BuiltinPlugins

/// A plugin that reads latency predictions, and requests with predictions for it.
struct LatencyScene<Subject: Plugin> {
    let plugin: Subject
    private let predictions: DataWriter<LatencyPredictions>
    private let matches: DataWriter<PrefixCacheMatches>
    private let slotCount: Int

    /// Makes the plugin, and what writes as its default producers do.
    init(_ type: Subject.Type, _ parameters: ConfigurationValue? = nil) throws {
        var context = PluginContext(clock: SystemMonotonicClock())
        plugin = try make(type, parameters, context: &context)
        predictions = context.produce(LatencyPredictions.key, as: "predicted-latency-producer")
        matches = context.produce(PrefixCacheMatches.key, as: "approx-prefix-cache-producer")
        slotCount = context.slotCount
    }

    /// The context of a request for which `predictions` were made, by slot; `nil` when no producer wrote any.
    func context(
        _ predictions: [LatencyPredictions.Prediction?]?,
        matched: [Int32]? = nil,
        blocks: Int = 4,
        priority: Int = 0,
        headers: [(String, String)] = [],
        seed: UInt64 = 1
    ) -> SchedulingContext {
        let request = InferenceRequest(
            id: "r",
            model: "m",
            priority: priority,
            headers: HeaderMap(headers.map { HeaderMap.Field(name: $0.0, value: $0.1) })
        )
        var context = SchedulingContext.sample(request, slotCount: slotCount, seed: seed)
        context.scratch[self.predictions] = predictions.map(LatencyPredictions.init)
        context.scratch[matches] = matched.map {
            PrefixCacheMatches(hashes: Array(repeating: 0, count: blocks), blockSizeTokens: 64, matchedBlocks: $0)
        }
        return context
    }
}

extension LatencyPredictions.Prediction {
    /// A prediction of headrooms in milliseconds, on an endpoint that is busy unless it is said to be idle.
    static func headroom(_ ttft: Double, _ tpot: Double, dispatched: Int = 3) -> Self {
        Self(
            isTTFTValid: ttft >= 0,
            isTPOTValid: tpot >= 0,
            ttftHeadroom: ttft,
            tpotHeadroom: tpot,
            dispatchedCount: dispatched
        )
    }
}
