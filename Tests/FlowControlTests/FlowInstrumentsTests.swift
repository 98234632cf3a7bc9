import GatewayCore
import Telemetry
import Testing

@testable import FlowControl

/// What flow control counts, as it stands on the page.
@Suite("Instruments of flow control")
struct FlowInstrumentsTests {
    private let registry = MetricRegistry()

    private func page() -> String { String(decoding: registry.page(.prometheusText), as: UTF8.self) }

    @Test("a flow that was forgotten and comes back is on the page again")
    func forgottenFlowsComeBack() throws {
        let meter = FlowMeter(metrics: try FlowControlMetrics(registry: registry), pool: PoolID(name: "pool"))
        let request = InferenceRequest(id: "1", model: "llama", priority: 3, fairnessID: "tenant-a")
        for _ in 0..<2 {
            #expect(!page().contains("tenant-a"))
            let instruments = meter.instruments(of: request, isFolded: false)
            #expect(instruments === meter.instruments(of: request, isFolded: false), "a request does one look-up")
            instruments.entered(byteCount: 100)
            #expect(page().contains("tenant-a"))
            instruments.left(byteCount: 100)
            instruments.decided(
                FlowDecision(outcome: .dispatched, waited: .seconds(1), retryAfterSeconds: 1),
                trace: nil
            )
            instruments.joined("NotYetFinalized", seconds: 0.001)
            meter.forget([FlowEngine.ForgottenFlow(fairnessID: "tenant-a", priority: 3)])
        }
        #expect(page().contains(#"outcome="Dispatched",priority="3""#), "decisions are kept, which name no flow")
    }

    @Test("the wait of a request in a sampled trace leads to it")
    func exemplars() throws {
        let meter = FlowMeter(metrics: try FlowControlMetrics(registry: registry), pool: PoolID(name: "pool"))
        let trace = "0af7651916cd43dd8448eb211c80319c"
        let request = InferenceRequest(id: "1", model: "llama")
        let instruments = meter.instruments(of: request, isFolded: false)
        let decision = FlowDecision(outcome: .dispatched, waited: .milliseconds(20), retryAfterSeconds: 1)
        instruments.decided(decision, trace: TraceContext.sampled("00-\(trace)-b7ad6b7169203331-01"))
        let lines = String(decoding: registry.page(.openMetrics), as: UTF8.self).split(separator: "\n")
        let shown = lines.filter { $0.contains("trace_id=\"\(trace)\"") }
        #expect(shown.count == 1 && shown[0].contains(#"le="0.025""#))
    }

    @Test("joining the queue is timed by flow and outcome")
    func joining() throws {
        let metrics = try FlowControlMetrics(registry: registry)
        let meter = FlowMeter(metrics: metrics, pool: PoolID(name: "pool"))
        let request = InferenceRequest(id: "1", model: "llama", priority: 3, fairnessID: "a")
        meter.instruments(of: request, isFolded: false).joined("NotYetFinalized", seconds: 0.0003)
        let labels = #"{fairness_id="a",priority="3",outcome="NotYetFinalized""#
        let name = "llm_d_epp_flow_control_request_enqueue_duration_seconds"
        #expect(page().contains("\(name)_bucket\(labels),le=\"0.0002\"} 0\n"))
        #expect(page().contains("\(name)_bucket\(labels),le=\"0.0005\"} 1\n"))
        // Another pool forgets a flow of the same name; this one's request still counts where it can be seen.
        let instruments = meter.instruments(of: request, isFolded: false)
        let other = FlowMeter(metrics: metrics, pool: PoolID(name: "other"))
        other.forget([FlowEngine.ForgottenFlow(fairnessID: "a", priority: 3)])
        #expect(!page().contains(name))
        instruments.joined("NotYetFinalized", seconds: 0.0003)
        #expect(page().contains("\(name)_count\(labels)} 1\n"))
    }

    @Test("names without end are not kept without end")
    func namesAreBounded() throws {
        let meter = FlowMeter(metrics: try FlowControlMetrics(registry: registry), pool: PoolID(name: "pool"))
        let first = meter.instruments(of: InferenceRequest(id: "1", model: "model-0"), isFolded: false)
        for number in 1..<5_000 {
            _ = meter.instruments(of: InferenceRequest(id: "1", model: "model-\(number)"), isFolded: false)
        }
        let again = meter.instruments(of: InferenceRequest(id: "1", model: "model-0"), isFolded: false)
        #expect(again !== first)
        first.entered(byteCount: 1)
        again.entered(byteCount: 1)
        #expect(page().contains(#"model_name="model-0""#))
    }
}
