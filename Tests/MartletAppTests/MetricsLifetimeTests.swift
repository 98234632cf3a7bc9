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
    private func warnings(
        interval: Duration,
        picker: String = "",
        staleness: Duration = .seconds(2)
    ) async throws -> [String] {
        var settings = GatewaySettings()
        settings.metricsStaleness = staleness
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
        let prepared = Result {
            try assembly.prepare(GatewayPlan(pool: PoolID(name: "a"), picker: configuration))
        }
        await http.shutdown()
        return try prepared.get().warnings
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

    /// What is wrong with a gateway whose idle endpoints are looked at every `idleInterval`.
    private func problem(
        idleInterval: String,
        interval: Duration = .milliseconds(50),
        staleness: Duration = .seconds(2),
        lifetime: String = "2s"
    ) async throws -> String {
        let picker = """
            plugins:
            - {type: metrics-data-source, parameters: {idleInterval: \(idleInterval)}}
            - {type: utilization-detector, parameters: {metricsStalenessThreshold: \(lifetime)}}
            flowControl: {saturationDetector: {pluginRef: utilization-detector}}
            """
        do {
            #expect(try await warnings(interval: interval, picker: picker, staleness: staleness).isEmpty)
            return ""
        } catch let error as ConfigurationError {
            return error.description
        }
    }

    @Test func idleEndpointsAreLookedAtBeforeTheirMetricsAreTooOld() async throws {
        #expect(try await problem(idleInterval: "1s").isEmpty, "with the second that an answer may take it is 2 s")
        #expect(
            try await problem(idleInterval: "1001ms")
                == "epp.yaml:4:58: plugins[0].parameters.idleInterval: 1.001s is too long: metrics would be up to "
                + "2.001s old, this and the 1s that an answer may take, and the saturation detector does without "
                + "metrics older than 2s"
        )
        #expect(
            try await problem(idleInterval: "1s", staleness: .milliseconds(1_500))
                == "epp.yaml:4:58: plugins[0].parameters.idleInterval: 1s is too long: metrics would be up to 2s old, "
                + "this and the 1s that an answer may take, and an endpoint counts as ready with metrics of at most "
                + "1.5s (--metrics-staleness-threshold)"
        )
        #expect(try await problem(idleInterval: "3s", staleness: .seconds(4), lifetime: "4s").isEmpty)
        #expect(
            try await problem(idleInterval: "500ms", interval: .milliseconds(500))
                == "epp.yaml:4:58: plugins[0].parameters.idleInterval: 500ms is not longer than the interval of 500ms"
        )
    }

    @Test func whoReadsNoMetricsNeedsNone() async throws {
        let picker = """
            plugins: [{type: concurrency-detector}]
            flowControl: {saturationDetector: {pluginRef: concurrency-detector}}
            """
        #expect(try await warnings(interval: .seconds(60), picker: picker).isEmpty)
    }
}
