import Testing

@testable import Telemetry

@Suite struct HistogramTotalsTests {
    private func family(_ buckets: [Double]) throws -> HistogramFamily {
        let definition = MetricDefinition(
            name: "t_seconds", type: .histogram, labels: ["which"], buckets: buckets, help: "T."
        )
        return try MetricRegistry().histograms(definition)
    }

    @Test func seriesAreAdded() throws {
        let family = try family([1, 2, 4])
        for value in [0.5, 1.5, 3] { family.child("a").observe(value) }
        for value in [1.5, 9] { family.child("b").observe(value) }
        let totals = HistogramTotals(family)
        #expect(totals.buckets == [1, 2, 1, 1])
        #expect(totals.count == 5 && totals.sum == 15.5)
        #expect(HistogramTotals(family.child("b")).buckets == [0, 1, 0, 1])
    }

    @Test func whatIsBetweenTwoMoments() throws {
        let family = try family([1, 2, 4])
        family.child("a").observe(0.5)
        family.child("gone").observe(3)
        let earlier = HistogramTotals(family)
        family.remove { $0 == ["gone"] }
        family.child("a").observe(1.5)
        let difference = HistogramTotals(family).since(earlier)
        #expect(difference.buckets == [0, 1, 0, 0], "a bucket that shrank has seen nothing, and not less")
        #expect(difference.sum == 0, "the sum cannot be told from what left")
        #expect(HistogramTotals(family).since(HistogramTotals()) == HistogramTotals(family))
    }

    @Test func quantilesAreInterpolated() throws {
        let family = try family([1, 2, 4])
        #expect(HistogramTotals(family).quantile(0.5) == nil)
        for _ in 0..<10 { family.child("a").observe(1.5) }
        let one = HistogramTotals(family)
        #expect(one.quantile(0) == 1 && one.quantile(0.5) == 1.5 && one.quantile(1) == 2)
        for _ in 0..<10 { family.child("b").observe(3) }
        let two = HistogramTotals(family)
        #expect(two.quantile(0.5) == 2 && two.quantile(0.75) == 3)
        for _ in 0..<60 { family.child("c").observe(100) }
        #expect(HistogramTotals(family).quantile(0.99) == 4, "nobody knows how far above the last bound")
        let low = try self.family([1, 2, 4])
        for _ in 0..<4 { low.child("a").observe(0.1) }
        #expect(HistogramTotals(low).quantile(0.5) == 0.5, "from zero, where no bound is below")
    }
}
