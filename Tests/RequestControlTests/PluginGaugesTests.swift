import BuiltinPlugins
import DataLayer
import GatewayCore
import GatewayTesting
import Telemetry
import Testing

@testable import RequestControl

/// The figures of plugins, as they stand on the page.
@Suite struct PluginGaugesTests {
    private func make<Role>(_ type: String, _ context: inout PluginContext) throws -> Role {
        let plugin = try BuiltinCatalogue.registry()
            .make(type: type, name: type, parameters: ParameterDecoder(value: nil), context: &context)
        return try #require(plugin as? Role)
    }

    private func lines(_ gateway: GatewayFixture, _ prefix: String) -> [Substring] {
        String(decoding: gateway.registry.page(.prometheusText), as: UTF8.self).split(separator: "\n").filter {
            $0.hasPrefix(prefix)
        }
    }

    private func gateway(fairness: String) throws -> GatewayFixture {
        var context = PluginContext(clock: ManualClock())
        let band = FlowControlSettings.Band(
            fairness: try make(fairness, &context),
            ordering: try make("fcfs-ordering-policy", &context)
        )
        let settings = FlowControlSettings(template: band, usageLimit: try make("static-usage-limit-policy", &context))
        let gateway = try GatewayFixture(
            pools: [(name: "pool", endpoints: [.local("e0", port: 1)])],
            detector: try make("concurrency-detector", &context) as any SaturationDetector,
            flowControl: settings
        )
        PluginGauges.observe(gateway.controller)
        return gateway
    }

    private func serve(_ gateway: GatewayFixture, program: String) {
        let request = IncomingRequest.completion(headers: [("x-llm-d-inference-fairness-id", program)])
        let exchange = RequestExchange(controller: gateway.controller, routes: .standalone, request: request)
        _ = exchange.begin()
        _ = exchange.responseHeadReceived(status: 200, isEventStream: false)
        exchange.responseStarted()
        let body = Array(#"{"usage":{"prompt_tokens":5,"completion_tokens":4}}"#.utf8)
        exchange.responseBodyReceived(body.span.bytes)
        exchange.finish(.completed)
    }

    @Test func programsAreOnThePage() throws {
        let gateway = try gateway(fairness: "program-aware-fairness")
        let index = "llm_d_epp_program_aware_jains_fairness_index"
        for program in ["a", "a", "b"] { serve(gateway, program: program) }
        #expect(lines(gateway, index) == ["\(index) 1"])
        let service = "llm_d_epp_program_aware_attained_service_tokens"
        #expect(lines(gateway, service) == ["\(service){program_id=\"a\"} 26", "\(service){program_id=\"b\"} 13"])
        let wait = "llm_d_epp_program_aware_avg_wait_time_milliseconds"
        #expect(lines(gateway, wait) == ["\(wait){program_id=\"a\"} 0", "\(wait){program_id=\"b\"} 0"])
    }

    @Test func policiesThatKnowNoProgramsTellNone() throws {
        let gateway = try gateway(fairness: "round-robin-fairness-policy")
        serve(gateway, program: "a")
        #expect(lines(gateway, "llm_d_epp_program_aware") == [])
        #expect(!lines(gateway, "llm_d_epp_flow_control_request_enqueue_duration_seconds_count").isEmpty)
    }

    @Test func staleEndpointsAreCountedForDetectorsThatReadMetrics() throws {
        var context = PluginContext(clock: ManualClock())
        let detector: any SaturationDetector = try make("utilization-detector", &context)
        let lifetime = try #require(detector.metricsLifetime)
        let band = FlowControlSettings.Band(
            fairness: try make("round-robin-fairness-policy", &context),
            ordering: try make("fcfs-ordering-policy", &context)
        )
        let gateway = try GatewayFixture(
            pools: [(name: "pool", endpoints: [.local("e0", port: 1), .local("e1", port: 2)])],
            detector: detector,
            flowControl: FlowControlSettings(
                template: band, usageLimit: try make("static-usage-limit-policy", &context))
        )
        let store = gateway.pools[0].endpoints
        store.record(metrics: EndpointMetrics(), for: EndpointLife(store.current.endpoints[0]), at: gateway.clock.now)
        let gauges = FlowGauges(controller: gateway.controller)
        let series = #"llm_d_epp_flow_control_stale_endpoints{detector="utilization-detector"}"#
        // A reload has brought another detector.
        gateway.controller.metrics.flowControl.staleEndpoints.child("former-detector").set(1)
        gauges.refresh()
        #expect(lines(gateway, series) == ["\(series) 1"])
        #expect(lines(gateway, "llm_d_epp_flow_control_stale_endpoints{").count == 1)
        gateway.clock.advance(by: lifetime + .milliseconds(1))
        gauges.refresh()
        #expect(lines(gateway, series) == ["\(series) 2"])
    }
}
