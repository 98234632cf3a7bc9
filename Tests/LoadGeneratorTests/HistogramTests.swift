import LoadGenerator
import Testing

struct LatencyHistogramTests {
    @Test func smallCountsAreExact() {
        var histogram = LatencyHistogram()
        for value in [30, 10, 20] as [Int64] { histogram.record(value) }
        #expect(histogram.quantile(0) == 10)
        #expect(histogram.quantile(0.5) == 20)
        #expect(histogram.quantile(0.75) == 25)
        #expect(histogram.quantile(1) == 30)
        #expect(histogram.mean == 20)
    }
}
