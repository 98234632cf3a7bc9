import GatewayCore
import Testing

@testable import FlowControl

@Suite("Drain rate")
struct DrainRateTests {
    private func instant(_ seconds: Double) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: Int64(seconds * 1e9))
    }

    @Test("nothing left: the rate is 0")
    func startsAtZero() {
        var rate = DrainRate()
        #expect(rate.rate(at: instant(5)) == 0)
    }

    @Test("requests per second over the seconds that were seen")
    func countsPerSecond() {
        var rate = DrainRate()
        for index in 0..<40 { rate.note(at: instant(100 + Double(index) / 10)) }
        #expect(rate.rate(at: instant(103.9)) == 10)
    }

    @Test("what is older than ten seconds counts no more")
    func forgets() {
        var rate = DrainRate()
        for _ in 0..<50 { rate.note(at: instant(100)) }
        #expect(rate.rate(at: instant(104)) == 10)
        #expect(rate.rate(at: instant(109.5)) == 5)
        #expect(rate.rate(at: instant(110)) == 0)
        rate.note(at: instant(1_000))
        #expect(rate.rate(at: instant(1_000)) == 0.1)
    }
}
