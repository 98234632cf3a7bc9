import GatewayConfiguration
import GatewayCore
import Testing

@testable import BuiltinPlugins

@Suite struct DataSourceBindingTests {
    private static let gpu = "{type: dcgm-extractor}, {type: dcgm-data-source}"
    private static let busy = """
        {type: endpoint-attribute-filter, name: busy, parameters: {attribute: GPUUtilization, \
        producer: dcgm-extractor, \
        algorithm: {type: threshold, threshold: {operator: LessThan, value: 0.9}}}}
        """

    private func build(_ yaml: String) throws -> PluginPipeline {
        let head = "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n"
        let configuration = try EndpointPickerConfiguration.decode(text: head + yaml, file: "epp.yaml")
        let builder = PipelineBuilder(registry: BuiltinCatalogue.registry(), allowsExperimental: true)
        return try builder.build(configuration, context: PluginContext(clock: SystemMonotonicClock()))
    }

    private func problem(_ yaml: String) -> String {
        do {
            _ = try build(yaml)
            return "none"
        } catch {
            return "\(error)"
        }
    }

    @Test func sourcesAreBoundToTheirExtractors() throws {
        let pipeline = try build(
            """
            plugins: [{type: models-data-source}, {type: models-data-extractor}, \(Self.gpu), \(Self.busy),
              {type: endpoint-notification-source}, {type: inflight-load-producer},
              {type: approx-prefix-cache-producer}]
            dataLayer:
              sources:
              - {pluginRef: models-data-source, extractors: [{pluginRef: models-data-extractor}]}
              - {pluginRef: dcgm-data-source, extractors: [{pluginRef: dcgm-extractor}]}
              - {pluginRef: endpoint-notification-source,
                 extractors: [{pluginRef: inflight-load-producer}, {pluginRef: approx-prefix-cache-producer}]}
            """
        )
        #expect(
            pipeline.dataSources.map(\.type) == [
                "models-data-source", "dcgm-data-source", "endpoint-notification-source", "metrics-data-source",
            ]
        )
        #expect(pipeline.dataSources.map(\.extractors.count) == [1, 1, 2, 1])
        #expect(pipeline.warnings.isEmpty)
    }

    @Test func anExtractorOfAnotherSourceIsRefused() {
        for (plugins, source, extractor, message) in [
            (
                Self.gpu, "metrics-data-source", "dcgm-extractor",
                "'dcgm-extractor' of type dcgm-extractor takes nothing from 'metrics-data-source'"
            ),
            (
                "{type: inflight-load-producer}, {type: approx-prefix-cache-producer}", "metrics-data-source",
                "inflight-load-producer", "takes nothing from 'metrics-data-source' of type metrics-data-source"
            ),
            (
                "{type: endpoint-notification-source}", "endpoint-notification-source", "core-metrics-extractor",
                "takes nothing from 'endpoint-notification-source'"
            ),
            ("{type: queue-scorer}", "metrics-data-source", "queue-scorer", "is not an extractor"),
        ] {
            let text = problem(
                """
                plugins: [{type: metrics-data-source}, {type: core-metrics-extractor}, \(plugins)]
                dataLayer: {sources: [{pluginRef: \(source), extractors: [{pluginRef: \(extractor)}]}]}
                """
            )
            #expect(text.contains(message), "\(text)")
            #expect(text.contains("dataLayer.sources[0].extractors[0]"), "\(text)")
        }
    }

    @Test func anAttributeThatNothingFillsStopsTheStart() {
        let unfilled =
            "plugin 'busy' reads the attribute 'GPUUtilization/dcgm-extractor' of endpoints, which no plugin fills"
        #expect(problem("plugins: [\(Self.busy)]").contains("plugins[0]: \(unfilled)"))
        #expect(problem("plugins: [\(Self.gpu), \(Self.busy)]").contains(unfilled), "no source lists the extractor")
        let listed = "dataLayer: {sources: [{pluginRef: dcgm-data-source, extractors: [{pluginRef: dcgm-extractor}]}]}"
        #expect(problem("plugins: [\(Self.gpu), \(Self.busy)]\n\(listed)") == "none")
        let slip = Self.busy.replacing("GPUUtilization", with: "GPUUtilisation")
        #expect(
            problem("plugins: [\(Self.gpu), \(slip)]\n\(listed)")
                .contains("(did you mean \"GPUUtilization/dcgm-extractor\"?)")
        )
    }

    @Test func customMetricsFillAttributes() {
        let scorer = """
            {type: endpoint-attribute-scorer, name: swaps, parameters: {attributeKey: swapped, \
            algorithm: {type: linear_lower_is_better}}}
            """
        let extractor = """
            {type: core-metrics-extractor, name: mine, parameters: {engineConfigs: [{name: vllm, \
            customMetrics: [{attributeKey: swapped, metricSpec: 'vllm:num_requests_swapped'}]}]}}
            """
        #expect(problem("plugins: [\(scorer)]").contains("'swapped/core-metrics-extractor'"))
        #expect(
            problem(
                """
                plugins: [\(scorer), \(extractor), {type: metrics-data-source}]
                dataLayer: {sources: [{pluginRef: metrics-data-source, extractors: [{pluginRef: mine}]}]}
                """
            ) == "none"
        )
        let builtin = scorer.replacing("swapped", with: "WaitingQueueSize")
        #expect(problem("plugins: [\(builtin)]") == "none", "the engine's metrics are always read")
    }

    @Test func whatDoesNothingWhereItStandsIsWarnedOf() throws {
        let warnings = try build("plugins: [\(Self.gpu)]").warnings.map(\.message)
        #expect(
            warnings == [
                "has no effect: dataLayer.sources lists 'dcgm-extractor' for no source",
                "has no effect: dataLayer.sources lists no extractor for 'dcgm-data-source'",
            ]
        )
    }

    @Test func loadScorersGetTheirProducer() throws {
        let pipeline = try build("plugins: [{type: token-load-scorer}, {type: prefix-cache-scorer}]")
        #expect(pipeline.loadEstimator is InFlightLoadProducer)
        let producers = pipeline.producers.map { type(of: $0.plugin).descriptor.type }
        #expect(producers == ["approx-prefix-cache-producer", "inflight-load-producer"], "matches come first")
        // Requests in flight are counted without anybody's help.
        let requests = try build("plugins: [{type: active-request-scorer}]")
        #expect(requests.producers.isEmpty && requests.warnings.isEmpty)
        let alone = try build("plugins: [{type: token-load-scorer}]")
        #expect(alone.producers.count == 1 && alone.warnings.count == 1)
        #expect(alone.warnings.map(\.message).joined().contains("does without the data 'PrefixCacheMatchInfo/"))
    }
}
