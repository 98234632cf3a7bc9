import Synchronization

/// Counts of observations below fixed upper bounds, and their sum. Observing takes two atomic updates and allocates
/// nothing; the number of observations is the sum of the buckets, so the page's `_count` always equals its `+Inf`
/// bucket. The sum is read separately and may run ahead of or behind the buckets by the observations under way.
package final class Histogram: MetricInstrument {
    /// The largest number of upper bounds. Latency buckets in this field have 35; the storage is inline.
    static let boundsMax = 47

    /// The upper bounds, rising; the bucket after the last one takes everything above it.
    let upperBounds: [Double]
    private let buckets = InlineArray<48, Atomic<UInt64>> { _ in Atomic(0) }
    private let sumBits = Atomic<UInt64>((0 as Double).bitPattern)

    /// Starts at zero; families and the registry call it.
    package init(definition: MetricDefinition) {
        upperBounds = definition.buckets
    }

    /// Counts `value` in the first bucket whose upper bound is not below it. NaN and infinities are not counted: no
    /// measurement gives them, and one of them would spoil the sum for ever.
    package func observe(_ value: Double) {
        guard value.isFinite else { return }
        buckets[bucketIndex(of: value)].wrappingAdd(1, ordering: .relaxed)
        sumBits.addDouble(value)
    }

    /// Counts a duration in seconds.
    package func observe(_ duration: Duration) {
        observe(duration.inSeconds)
    }

    /// The number of observations so far.
    package var count: UInt64 {
        var total: UInt64 = 0
        for index in 0...upperBounds.count { total &+= buckets[index].load(ordering: .relaxed) }
        return total
    }

    /// The sum of the observed values so far.
    package var sum: Double {
        Double(bitPattern: sumBits.load(ordering: .relaxed))
    }

    /// The number of observations in one bucket, not cumulated; the index after the last bound is the `+Inf` bucket.
    func bucketCount(_ index: Int) -> UInt64 {
        buckets[index].load(ordering: .relaxed)
    }

    /// A series that has seen nothing is left off the page when it carries labels: a page of a thousand tenants would
    /// otherwise be mostly empty buckets.
    package var isWorthWriting: Bool { count > 0 }

    /// Writes the series.
    package func write(_ labels: borrowing LabelPairs, into writer: inout PrometheusWriter) {
        writer.histogram(labels, self)
    }

    /// Halves the range without a branch on the comparison: the bounds of one histogram are hit in no predictable
    /// order.
    private func bucketIndex(of value: Double) -> Int {
        let bounds = upperBounds
        var base = 0
        var length = bounds.count
        while length > 1 {
            let half = length / 2
            base += bounds[base + half - 1] < value ? half : 0
            length -= half
        }
        return base + (bounds[base] < value ? 1 : 0)
    }
}

extension Duration {
    /// The length in seconds, exact to the nanosecond for weeks and to the microsecond for centuries.
    fileprivate var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }
}
