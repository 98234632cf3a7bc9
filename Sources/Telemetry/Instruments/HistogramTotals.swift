/// What one histogram has seen, or several with the same buckets, at one moment.
package struct HistogramTotals: Hashable, Sendable {
    /// The upper bounds, rising.
    package private(set) var upperBounds: [Double] = []
    /// The observations of each bucket, not cumulated; the last one is above all bounds.
    package private(set) var buckets: [UInt64] = []
    /// The sum of the observed values.
    package private(set) var sum = 0.0

    /// Of nothing.
    package init() {}

    /// Of one histogram.
    package init(_ histogram: Histogram) {
        add(histogram)
    }

    /// Of all series of a family.
    package init(_ family: HistogramFamily) {
        for histogram in family.series.values { add(histogram) }
    }

    /// The number of observations.
    package var count: UInt64 { buckets.reduce(0, &+) }

    /// Adds what `histogram` has seen; its buckets are those of the others.
    package mutating func add(_ histogram: Histogram) {
        if buckets.isEmpty {
            upperBounds = histogram.upperBounds
            buckets = Array(repeating: 0, count: histogram.upperBounds.count + 1)
        }
        precondition(upperBounds.count == histogram.upperBounds.count, "histograms of other buckets cannot be added")
        for index in buckets.indices { buckets[index] &+= histogram.bucketCount(index) }
        sum += histogram.sum
    }

    /// What was seen since `earlier`. A bucket that has less than it had, because a series left, has seen nothing.
    package func since(_ earlier: HistogramTotals) -> HistogramTotals {
        guard earlier.buckets.count == buckets.count else { return self }
        var difference = self
        for index in buckets.indices {
            difference.buckets[index] = buckets[index] - min(buckets[index], earlier.buckets[index])
        }
        difference.sum = max(0, sum - earlier.sum)
        return difference
    }

    /// The value that `share` of the observations, 0 to 1, do not exceed, as if those of a bucket were spread over it
    /// evenly; `nil` when nothing was seen. What is above all bounds counts as the last of them.
    package func quantile(_ share: Double) -> Double? {
        let count = count
        guard count > 0, let last = upperBounds.last else { return nil }
        let rank = share * Double(count)
        var below = 0.0
        for (index, upper) in upperBounds.enumerated() {
            let inside = Double(buckets[index])
            if inside > 0, below + inside >= rank {
                let lower = index == 0 ? min(0, upper) : upperBounds[index - 1]
                return lower + (upper - lower) * max(0, rank - below) / inside
            }
            below += inside
        }
        return last
    }
}
