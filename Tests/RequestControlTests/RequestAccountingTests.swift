import GatewayCore
import GatewayTesting
import Telemetry
import Testing

@testable import RequestControl

/// What a request adds to the metrics page.
@Suite struct RequestAccountingTests {
    private func lines(_ gateway: GatewayFixture, _ format: ExpositionFormat = .prometheusText) -> [Substring] {
        String(decoding: gateway.registry.page(format), as: UTF8.self).split(separator: "\n")
    }

    private func exchange(_ gateway: GatewayFixture, _ request: IncomingRequest = .completion()) -> RequestExchange {
        RequestExchange(controller: gateway.controller, routes: .standalone, request: request)
    }

    /// Serves a streamed request of seven tokens: its first byte after 5 ms, its end 12 ms later.
    private func serve(_ gateway: GatewayFixture, _ request: IncomingRequest) {
        let exchange = exchange(gateway, request)
        _ = exchange.begin()
        gateway.clock.advance(by: .milliseconds(5))
        _ = exchange.responseHeadReceived(status: 200, isEventStream: true)
        exchange.responseStarted()
        let body = Array("data: {\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":4}}\n\n".utf8)
        exchange.responseBodyReceived(body.span.bytes)
        gateway.clock.advance(by: .milliseconds(11))
        exchange.finish(.completed)
    }

    @Test func timesOfARequestThatIsServed() throws {
        let gateway = try GatewayFixture(ports: [1])
        serve(gateway, .completion())
        let lines = lines(gateway)
        let labels = #"{model_name="m",target_model_name="m",fairness_id="default-flow",priority="0"}"#
        #expect(lines.contains("llm_d_epp_request_ntpot_seconds_sum\(labels) 0.004"))
        #expect(lines.contains("llm_d_epp_request_duration_seconds_sum\(labels) 0.016"))
        #expect(lines.contains("llm_d_epp_request_processing_duration_seconds_count 1"))
        #expect(lines.contains("llm_d_epp_response_processing_duration_seconds_count 1"))
        #expect(lines.contains("llm_d_epp_request_total\(labels) 1"))
        #expect(lines.contains("llm_d_epp_request_running\(labels) 0"))
    }

    @Test(arguments: [("01", 4), ("00", 0)])
    func aSampledTraceIsFoundFromItsBuckets(_ flags: String, _ count: Int) throws {
        let gateway = try GatewayFixture(ports: [1])
        let trace = "0af7651916cd43dd8448eb211c80319c"
        serve(gateway, .completion(headers: [("traceparent", "00-\(trace)-b7ad6b7169203331-\(flags)")]))
        let shown = lines(gateway, .openMetrics).filter { $0.contains("trace_id=\"\(trace)\"") }
        #expect(shown.count == count)
        let names = Set(shown.compactMap { $0.split(separator: "_bucket").first.map(String.init) })
        #expect(names.isSubset(of: MetricCatalogue.exemplified))
        #expect(names.count == count)
    }

    @Test func requestsThatNobodyServesDoNotUseUpTheNames() throws {
        let gateway = try GatewayFixture(ports: [])
        for tenant in 0..<300 {
            _ = exchange(gateway, .completion(headers: [("x-llm-d-inference-fairness-id", "t\(tenant)")])).begin()
        }
        let totals = lines(gateway).filter { $0.hasPrefix("llm_d_epp_request_total{") }
        #expect(totals.count == 101, "a tenth of the thousand, and the rest together")
        #expect(totals.contains { $0.contains(#"fairness_id="other""#) && $0.hasSuffix(" 200") })
        let errors = lines(gateway).filter { $0.hasPrefix("llm_d_epp_request_error_total{") }
        #expect(errors.count == 101)
        #expect(lines(gateway).filter { $0.hasPrefix("llm_d_epp_request_running{") }.allSatisfy { $0.hasSuffix(" 0") })
    }

    @Test(
        arguments: [
            ([], 1), ([0, 0], 1), ([3, 3, 3], 1), ([6, 0, 0], 1.0 / 3), ([1, 2], 0.9),
        ] as [([Double], Double)])
    func theFairnessIndexIsJains(_ waits: [Double], _ index: Double) {
        #expect(abs(PluginGauges.fairnessIndex(waits) - index) < 1e-12)
    }

    @Test func aRequestIsCountedOnceHoweverOftenItIsTried() throws {
        let gateway = try GatewayFixture(ports: [1, 2])
        let exchange = exchange(gateway)
        _ = exchange.begin()
        _ = exchange.attemptFailed(.connect("refused"))
        exchange.finish(.completed)
        let lines = lines(gateway)
        let labels = #"{model_name="m",target_model_name="m",fairness_id="default-flow",priority="0"}"#
        #expect(lines.contains("llm_d_epp_request_total\(labels) 1"))
        #expect(lines.contains("llm_d_epp_request_processing_duration_seconds_count 1"))
        #expect(!lines.contains { $0.hasPrefix("llm_d_epp_response_processing_duration_seconds_count 1") })
    }
}
