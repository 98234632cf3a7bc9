import DataLayer
import EngineClient
import GatewayConfiguration
import GatewayCore
import GatewayTesting
import NIOPosix
import RequestControl
import Telemetry
import Testing

@testable import MartletApp

@Suite("Metrics that come too seldom for the saturation detector")
struct MetricsLifetimeTests {
    /// What is said at the start of a gateway that fetches metrics every `interval`.
    private func warnings(interval: Duration, picker: String = "") async throws -> [String] {
        var settings = GatewaySettings()
        settings.scrape.interval = interval
        let clock = ManualClock()
        let http = try EngineHTTPClient(group: MultiThreadedEventLoopGroup.singleton)
        let assembly = GatewayAssembly(
            settings: settings,
            clock: clock,
            metrics: try GatewayMetrics(registry: MetricRegistry()),
            http: http,
            timer: clock,
            supervisor: PoolSupervisor(http: http)
        )
        let head = "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n"
        let configuration = try EndpointPickerConfiguration.decode(text: head + picker, file: "epp.yaml")
        let prepared = try assembly.prepare(GatewayPlan(pool: PoolID(name: "a"), picker: configuration))
        await http.shutdown()
        return prepared.warnings
    }

    @Test func theDefaultsFit() async throws {
        #expect(try await warnings(interval: .milliseconds(50)).isEmpty)
        #expect(try await warnings(interval: .seconds(2)).isEmpty)
    }

    @Test func aDetectorThatKnowsNothingIsPointedOut() async throws {
        #expect(
            try await warnings(interval: .seconds(5)) == [
                "The saturation detector of the pool 'a' does without metrics older than 2s, and they are fetched "
                    + "every 5s: most of the time it knows nothing, and refuses nobody."
            ]
        )
    }

    @Test func theMetricsSourcesIntervalCounts() async throws {
        let picker = """
            plugins:
            - {type: metrics-data-source, parameters: {interval: 300ms}}
            - {type: utilization-detector, name: d, parameters: {metricsStalenessThreshold: 200ms}}
            flowControl: {saturationDetector: {pluginRef: d}}
            """
        let warnings = try await warnings(interval: .milliseconds(50), picker: picker)
        #expect(warnings.count == 1 && warnings[0].contains("older than 200ms, and they are fetched every 300ms"))
    }

    @Test func whoReadsNoMetricsNeedsNone() async throws {
        let picker = """
            plugins: [{type: concurrency-detector}]
            flowControl: {saturationDetector: {pluginRef: concurrency-detector}}
            """
        #expect(try await warnings(interval: .seconds(60), picker: picker).isEmpty)
    }
}
