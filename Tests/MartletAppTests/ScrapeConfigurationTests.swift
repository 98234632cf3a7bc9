import BuiltinPlugins
import DataLayer
import GatewayConfiguration
import GatewayCore
import GatewayTesting
import Telemetry
import Testing

@testable import MartletApp

@Suite("What is scraped") struct ScrapeConfigurationTests {
    private func configuration(
        _ yaml: String,
        from flags: ScrapeConfiguration = ScrapeConfiguration()
    ) throws -> ScrapeConfiguration {
        let head = "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n"
        let picker = try EndpointPickerConfiguration.decode(text: head + yaml, file: "epp.yaml")
        let builder = PipelineBuilder(registry: BuiltinCatalogue.registry(), allowsExperimental: true)
        return flags.applying(try builder.build(picker, context: PluginContext(clock: SystemMonotonicClock())))
    }

    @Test("without sources, what the flags say") func flags() throws {
        var flags = ScrapeConfiguration()
        flags.metricsPath = "/m"
        flags.metricsPort = 9
        flags.interval = .milliseconds(70)
        #expect(try configuration("", from: flags) == flags)
    }

    @Test("sources go before the flags") func sources() throws {
        let result = try configuration(
            """
            plugins:
            - type: metrics-data-source
              parameters: {path: /x, port: 81, scheme: https, interval: 200ms, idleInterval: 1s}
            - {type: models-data-source, parameters: {path: /list, scheme: https, interval: 7s}}
            """
        )
        #expect(result.metricsPath == "/x" && result.metricsPort == 81 && result.isMetricsSecure == true)
        #expect(result.interval == .milliseconds(200) && result.idleInterval == .seconds(1))
        #expect(result.modelsPath == "/list" && result.isModelsSecure == true && result.modelsInterval == .seconds(7))
        #expect(result.attributePages.isEmpty)
        let address = EndpointAddress(host: "h", port: 8_000)
        #expect(result.modelsAddress(address) == EndpointAddress(host: "h", port: 8_000, isSecure: true))
    }

    @Test("a listed exporter is a page of its own") func exporter() throws {
        let plugins = "plugins: [{type: dcgm-data-source, parameters: {port: 9401}}, {type: dcgm-extractor}]\n"
        let listed = "dataLayer: {sources: [{pluginRef: dcgm-data-source, extractors: [{pluginRef: dcgm-extractor}]}]}"
        #expect(try configuration(plugins).attributePages.isEmpty)
        let result = try configuration(plugins + listed)
        let page = try #require(result.attributePages.first)
        #expect(result.attributePages.count == 1 && page.source == "dcgm-data-source")
        #expect(page.settings.port == 9_401 && page.rules.map(\.key) == ["GPUUtilization/dcgm-extractor"])
        #expect(result.attributeKeys == ["GPUUtilization/dcgm-extractor"])
    }
}

@Suite("The state report") struct StateReportTests {
    @Test("tells attributes, and what was wrong with the last pages") func attributesAndFaults() throws {
        let gateway = try GatewayFixture(ports: [8_000])
        let life = EndpointLife(gateway.store.current.endpoints[0])
        let report = {
            String(
                decoding: StateReport.json(
                    controller: gateway.controller, isDraining: false, startedAt: gateway.clock.now
                ),
                as: UTF8.self
            )
        }
        #expect(report().contains(#""attributes":{},"scrape_faults":[],"#))
        gateway.store.record(attributes: [AttributeReading(key: "k/p", value: 0.5)], for: life)
        let faults = [ScrapeFault(.page, .truncated), ScrapeFault(.attribute, .missing, attribute: "k/p")]
        gateway.store.record(faults: faults, from: "metrics-data-source", for: life)
        #expect(
            report().contains(
                #""attributes":{"k/p":0.5},"scrape_faults":[{"source":"metrics-data-source","field":"page","#
                    + #""reason":"truncated"},{"source":"metrics-data-source","field":"attribute","#
                    + #""attribute":"k/p","reason":"missing"}],"#
            )
        )
        gateway.store.record(faults: [], from: "metrics-data-source", for: life)
        #expect(report().contains(#""scrape_faults":[]"#))
    }
}
