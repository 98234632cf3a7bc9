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
            instruments.decided(FlowDecision(outcome: .dispatched, waited: .seconds(1), retryAfterSeconds: 1))
            meter.forget([FlowEngine.ForgottenFlow(fairnessID: "tenant-a", priority: 3)])
        }
        #expect(page().contains(#"outcome="Dispatched",priority="3""#), "decisions are kept, which name no flow")
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
