import GatewayCore
import GatewayTesting
import Scheduling
import Testing

@Suite struct SheddingTests {
    private func outcome(saturation: Double?, priority: Int, log: CallLog = CallLog()) -> Rejection? {
        let scheduler = makeScheduler(
            [makeProfile()],
            plugins: [LoggingPlugin("producer", log: log)],
            detector: saturation.map { FixedDetector(saturation: $0, log: log) }
        )
        var context = SchedulingContext.sample(InferenceRequest(id: "r", model: "m", priority: priority))
        do throws(Rejection) {
            _ = try scheduler.schedule(&context, candidates: .sample(count: 2))
            return nil
        } catch {
            return error
        }
    }

    @Test(
        arguments: [
            (1.0, -1, true), (2, -1, true), (.infinity, .min, true), (1.0.nextDown, -1, false), (0, -1, false),
            // A detector that breaks its contract sheds nobody.
            (.nan, -1, false),
            (9, 0, false), (9, 1, false),
            (nil, -1, false),
        ] as [(Double?, Int, Bool)])
    func onlyNegativePrioritiesInFullPoolsAreShed(saturation: Double?, priority: Int, isShed: Bool) {
        let expected = isShed ? Rejection(.shed, "system saturated, sheddable request dropped") : nil
        #expect(outcome(saturation: saturation, priority: priority) == expected)
    }

    @Test func nothingIsComputedForWhatIsShed() {
        let log = CallLog()
        #expect(outcome(saturation: 1, priority: -1, log: log) != nil)
        #expect(log.all == ["saturation of 2"])
    }

    @Test func theDetectorIsNotAskedWithoutNeed() {
        let log = CallLog()
        #expect(outcome(saturation: 1, priority: 0, log: log) == nil)
        #expect(log.all == ["producer produce 2"])
    }
}

/// Says what it was told to say.
private struct FixedDetector: SaturationDetector {
    static let descriptor = PluginDescriptor(type: "fixed-detector", summary: "")
    let saturation: Double
    let log: CallLog

    init(saturation: Double, log: CallLog) {
        self.saturation = saturation
        self.log = log
    }

    init(parameters: ParameterDecoder, context: inout PluginContext) { self.init(saturation: 0, log: CallLog()) }

    func saturation(of candidates: Candidates, now: MonotonicInstant) -> Double {
        log.append("saturation of \(candidates.count)")
        return saturation
    }
}
