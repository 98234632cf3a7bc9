import GatewayCore
import Testing

@testable import LoadGenerator

struct LatencyHistogramTests {
    /// numpy's quantile of values that are all kept.
    private func exact(_ values: [Int64], _ fraction: Double) -> Double {
        let sorted = values.sorted()
        let position = fraction * Double(sorted.count - 1)
        let low = Int(position)
        let high = min(low + 1, sorted.count - 1)
        return Double(sorted[low]) + Double(sorted[high] - sorted[low]) * (position - Double(low))
    }

    @Test func smallCountsAreExact() {
        var histogram = LatencyHistogram()
        for value in [30, 10, 20] as [Int64] { histogram.record(value) }
        #expect(histogram.quantile(0) == 10)
        #expect(histogram.quantile(0.5) == 20)
        #expect(histogram.quantile(0.75) == 25)
        #expect(histogram.quantile(1) == 30)
        #expect(histogram.mean == 20)
        let deviation = histogram.standardDeviation ?? 0
        #expect(abs(deviation - (200.0 / 3).squareRoot()) < 1e-9)
    }

    @Test(arguments: [1, 2, 3, 10, 1_000, 20_000])
    func quantilesAreWithinHalfAPercent(count: Int) {
        var random = RandomSource(seed: UInt64(count))
        var histogram = LatencyHistogram()
        var values: [Int64] = []
        for _ in 0..<count {
            // From a microsecond to a minute, evenly over the powers of two.
            let value = Int64(1_000 * (random.unit() * 26).exponentOfTwo)
            values.append(value)
            histogram.record(value)
        }
        for fraction in [0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1] {
            let (told, true_) = (histogram.quantile(fraction) ?? -1, exact(values, fraction))
            #expect(abs(told - true_) <= true_ * 0.005, "the quantile \(fraction) of \(count) values")
        }
        #expect(histogram.least == values.min())
        #expect(histogram.greatest == values.max())
    }

    @Test func mergedIsAsIfRecordedInOne() {
        var random = RandomSource(seed: 7)
        var (all, one, other) = (LatencyHistogram(), LatencyHistogram(), LatencyHistogram())
        for number in 0..<5_000 {
            let value = Int64.random(in: 0...1 << 36, using: &random)
            all.record(value)
            if number % 3 == 0 { one.record(value) } else { other.record(value) }
        }
        one.merge(other)
        one.merge(LatencyHistogram())
        for fraction in [0, 0.1, 0.5, 0.99, 1] { #expect(one.quantile(fraction) == all.quantile(fraction)) }
        #expect(one.count == all.count)
        #expect(abs((one.mean ?? 0) - (all.mean ?? 1)) < 1e-3)
    }

    @Test func itsMemoryIsBounded() {
        var histogram = LatencyHistogram()
        histogram.record(.max)
        histogram.record(-5)
        #expect(histogram.greatest == LatencyHistogram.valueMax)
        #expect(histogram.least == 0)
        #expect(histogram.bucketCount < 6_000)
    }

    @Test func distributionEndsWithAll() {
        var histogram = LatencyHistogram()
        for value in 1...10_000 as ClosedRange<Int64> { histogram.record(value * 1_000) }
        let points = histogram.distribution(pointsMax: 50)
        #expect(points.count <= 51)
        #expect(points.last?.share == 1)
        #expect(zip(points, points.dropFirst()).allSatisfy { $0.share < $1.share && $0.nanoseconds <= $1.nanoseconds })
    }

    @Test func withoutValuesThereIsNothingToTell() {
        let histogram = LatencyHistogram()
        #expect(histogram.quantile(0.5) == nil)
        #expect(histogram.mean == nil)
        #expect(histogram.distribution(pointsMax: 10).isEmpty)
    }
}

extension Double {
    /// Two to the power of this.
    fileprivate var exponentOfTwo: Double {
        var (result, base) = (1.0, 2.0)
        var whole = Int(self)
        while whole > 0 {
            if whole & 1 == 1 { result *= base }
            base *= base
            whole >>= 1
        }
        return result * (1 + (self - Double(Int(self))))
    }
}

struct PairedRatioTests {
    @Test func theIntervalHasTheCoverageOfOrderStatistics() throws {
        // With n pairs the range has the median with 1 - 2 / 2^n: above 95 % from six on.
        #expect(try #require(PairedRatio([1, 1, 1, 1, 1])).interval == nil)
        let six = try #require(PairedRatio([6, 5, 4, 3, 2, 1]))
        #expect(six.interval == 1...6)
        // Of ten, one may be cut off at each end: 1 - 2 (1 + 10) / 1024 = 97.9 %; two would leave 89 %.
        let ten = try #require(PairedRatio((1...10).map(Double.init)))
        #expect(ten.interval == 2...9)
        #expect(abs(ten.median - 30.0.squareRoot()) < 1e-12)
    }

    @Test func theIntervalHasTheMedianAsOftenAsItSays() throws {
        var random = RandomSource(seed: 11)
        var hits = 0
        for _ in 0..<2_000 {
            // Ratios whose true median is 1, skewed.
            let ratios = (0..<10).map { _ in random.unit() < 0.5 ? 1 - random.unit() / 2 : 1 + random.unit() * 5 }
            if try #require(PairedRatio(ratios)).interval?.contains(1) == true { hits += 1 }
        }
        // 97.9 % of 2,000, give or take four deviations.
        #expect((1_930...1_984).contains(hits))
    }

    @Test func manyMetricsNeedMoreThanOne() throws {
        let nine = try #require(PairedRatio([1.01, 1.02, 1.03, 1.04, 1.05, 1.06, 1.07, 1.08, 1.09]))
        #expect(nine.isBeyondNoise(among: 1))
        #expect(nine.isBeyondNoise(among: 12))
        let six = try #require(PairedRatio([1.01, 1.02, 1.03, 1.04, 1.05, 1.06]))
        #expect(six.isBeyondNoise(among: 1))
        #expect(!six.isBeyondNoise(among: 12))
    }

    @Test func whatIsNoRatioIsLeftOut() {
        #expect(PairedRatio([]) == nil)
        #expect(PairedRatio([.nan, .infinity, -1]) == nil)
        #expect(PairedRatio([.nan, 2])?.ratios == [2])
        #expect(PairedRatio([2, 0, 3])?.ratios == [0, 2, 3], "a target that did nothing is not left out")
    }
}
