import BuiltinPlugins
import GatewayConfiguration
import GatewayCore
import Testing

/// Plugins of others that write data which built-in plugins read.
@Suite struct ForeignProducerTests {
    /// Expects of each endpoint what its slot says, in milliseconds.
    private struct SlotPredictor: DataProducer {
        static let descriptor = PluginDescriptor(type: "slot-predictor", summary: "Predicts by the slot.")

        private let predictions: DataWriter<LatencyPredictions>

        init(parameters: ParameterDecoder, context: inout PluginContext) {
            predictions = context.produce(LatencyPredictions.key)
        }

        func produce(for candidates: Candidates, context: inout SchedulingContext) {
            var expected: [LatencyPredictions.Prediction?] = []
            for slot in 0..<candidates.count {
                let headroom = slot > 0 ? Double(slot) : -1
                expected.append(.init(isTTFTValid: slot > 0, isTPOTValid: true, ttftHeadroom: headroom))
            }
            context.scratch[predictions] = LatencyPredictions(expected)
        }
    }

    @Test func aPredictorOfLatenciesFeedsTheLatencyPlugins() throws {
        let yaml = """
            apiVersion: llm-d.ai/v1alpha1
            kind: EndpointPickerConfig
            plugins:
            - {type: slot-predictor, name: mine}
            - type: slo-headroom-tier-filter
              parameters: {latencyPredictionInfoProducerName: mine, epsilonExploreNeg: 0}
            - {type: latency-scorer, parameters: {latencyPredictionInfoProducerName: mine}}
            - type: max-score-picker
            schedulingProfiles:
            - name: default
              plugins:
              - {pluginRef: slo-headroom-tier-filter}
              - {pluginRef: latency-scorer}
              - {pluginRef: max-score-picker}
            """
        var registry = BuiltinCatalogue.registry()
        registry.register(SlotPredictor.self)
        let pipeline = try PipelineBuilder(registry: registry, allowsExperimental: true).build(
            EndpointPickerConfiguration.decode(text: yaml, file: "epp.yaml"),
            context: PluginContext(clock: SystemMonotonicClock())
        )
        var candidates = Candidates(
            (0..<3).map { slot in
                EndpointSnapshot(
                    id: EndpointID(name: "e\(slot)"),
                    slot: slot,
                    address: EndpointAddress(host: "10.0.0.1", port: 8_000 + slot)
                )
            }
        )
        var context = SchedulingContext(
            request: InferenceRequest(id: "r", model: "m"),
            now: MonotonicInstant(nanoseconds: 0),
            scratch: RequestScratch(slotCount: pipeline.slotCount),
            random: RandomSource(seed: 1)
        )
        for producer in pipeline.producers { producer.plugin.produce(for: candidates, context: &context) }
        pipeline.profiles[0].filters[0].filter.filter(&candidates, context: &context)
        #expect(candidates.positions == [1, 2])
        var scores = [0.0, 0.0]
        var span = scores.mutableSpan
        pipeline.profiles[0].scorers[0].scorer.score(candidates, context: context, into: &span)
        #expect(scores[0] > scores[1], "the one that just keeps its objective goes first: \(scores)")
    }
}
