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
    /// The last exemplar of each bucket that has one; empty, and without memory of its own, until there is one.
    private let exemplars = Mutex<[BucketExemplar]>([])

    /// Starts at zero; families and the registry call it.
    package init(definition: MetricDefinition) {
        upperBounds = definition.buckets
    }

    /// Counts `value` in the first bucket whose upper bound is not below it. NaN and infinities are not counted: no
    /// measurement gives them, and one of them would spoil the sum for ever.
    package func observe(_ value: Double) {
        guard value.isFinite else { return }
        count(value, in: bucketIndex(of: value))
    }

    /// Counts a duration in seconds.
    package func observe(_ duration: Duration) {
        observe(duration.inSeconds)
    }

    /// Counts `value`, and keeps the trace of the request that it is about as the exemplar of its bucket.
    ///
    /// - Parameters:
    ///   - value: as in ``observe(_:)``.
    ///   - trace: where the request is in its trace. Only one that is sampled is kept, since nobody finds another; nil
    ///     counts the value alone.
    package func observe(_ value: Double, exemplar trace: TraceContext?) {
        guard let trace, trace.isSampled else { return observe(value) }
        observe(value, exemplar: trace, atMilliseconds: WallClock.milliseconds())
    }

    /// Counts `value` at a moment of the wall clock, in milliseconds since 1970.
    func observe(_ value: Double, exemplar trace: TraceContext, atMilliseconds milliseconds: Int64) {
        guard value.isFinite else { return }
        let bucket = bucketIndex(of: value)
        count(value, in: bucket)
        let exemplar = Exemplar(trace: trace, value: value, milliseconds: milliseconds)
        exemplars.withLock { exemplars in
            if let place = exemplars.firstIndex(where: { $0.bucket == bucket }) {
                exemplars[place].exemplar = exemplar
            } else {
                exemplars.append(BucketExemplar(bucket: bucket, exemplar: exemplar))
            }
        }
    }

    private func count(_ value: Double, in bucket: Int) {
        buckets[bucket].wrappingAdd(1, ordering: .relaxed)
        sumBits.addDouble(value)
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

    /// The buckets, the sum and the exemplars now, for the page.
    package var reading: HistogramReading {
        HistogramReading(
            counts: (0...upperBounds.count).map(bucketCount),
            sum: sum,
            exemplars: exemplars.withLock { $0 }
        )
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

/// What a histogram said.
package struct HistogramReading: MetricReading {
    /// Observations by bucket, not cumulated; the last bucket is that of `+Inf`.
    private(set) var counts: [UInt64]
    /// The sum of the observed values.
    private(set) var sum: Double
    private let exemplars: [BucketExemplar]

    init(counts: [UInt64], sum: Double, exemplars: [BucketExemplar] = []) {
        self.counts = counts
        self.sum = sum
        self.exemplars = exemplars
    }

    /// The exemplar of a bucket; nil for none.
    func exemplar(of bucket: Int) -> Exemplar? {
        exemplars.first { $0.bucket == bucket }?.exemplar
    }

    /// The same without exemplars.
    package var withoutTraces: HistogramReading { HistogramReading(counts: counts, sum: sum) }

    /// Adds the other's counts and its sum.
    package mutating func add(_ other: HistogramReading) {
        for bucket in counts.indices { counts[bucket] &+= other.counts[bucket] }
        sum += other.sum
    }

    /// Writes the buckets, the sum and the count.
    package func write(_ labels: borrowing LabelPairs, into writer: inout PrometheusWriter) {
        writer.histogram(labels, self)
    }
}

extension Duration {
    /// The length in seconds, exact to the nanosecond for weeks and to the microsecond for centuries.
    fileprivate var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }
}
