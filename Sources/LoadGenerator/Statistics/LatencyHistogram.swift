/// Counts of durations in buckets whose width grows with the value, so that a fixed amount of memory holds any number
/// of them.
///
/// A value is told within half a bucket: 0.4 % with the default precision. Sum, least and greatest are exact, so means
/// are as well. A plain value.
package struct LatencyHistogram: Sendable {
    /// Larger values, in nanoseconds, are counted as this one; about 73 minutes.
    package static let valueMax: Int64 = 1 << 42

    /// Each power of two has two to the power of this many buckets.
    private let precisionBits: Int
    private var counts: [UInt32] = []
    /// How many values were recorded.
    package private(set) var count = 0
    /// How many buckets there are, which says how much memory is used.
    var bucketCount: Int { counts.count }
    /// The sum of the values in nanoseconds.
    package private(set) var sum = 0.0
    private var sumOfSquares = 0.0
    /// The least value in nanoseconds; 0 without any.
    package private(set) var least: Int64 = 0
    /// The greatest value in nanoseconds; 0 without any.
    package private(set) var greatest: Int64 = 0

    /// An empty histogram.
    ///
    /// - Parameter precisionBits: 1 to 12; 7 tells values within 0.4 % and 5 within 1.6 %.
    package init(precisionBits: Int = 7) {
        precondition((1...12).contains(precisionBits), "a precision of \(precisionBits) bits is not from 1 to 12")
        self.precisionBits = precisionBits
    }

    /// Counts a value in nanoseconds; negative ones count as 0.
    package mutating func record(_ nanoseconds: Int64) {
        let value = min(max(nanoseconds, 0), Self.valueMax)
        let index = bucket(of: value)
        if index >= counts.count {
            counts.append(contentsOf: repeatElement(0, count: index + 1 - counts.count))
        }
        counts[index] &+= 1
        least = count == 0 ? value : min(least, value)
        greatest = max(greatest, value)
        count += 1
        sum += Double(value)
        sumOfSquares += Double(value) * Double(value)
    }

    /// Adds everything that `other`, of the same precision, has counted.
    package mutating func merge(_ other: LatencyHistogram) {
        precondition(precisionBits == other.precisionBits, "histograms of two precisions cannot be merged")
        if other.count == 0 { return }
        if other.counts.count > counts.count {
            counts.append(contentsOf: repeatElement(0, count: other.counts.count - counts.count))
        }
        for (index, added) in other.counts.enumerated() where added > 0 { counts[index] &+= added }
        least = count == 0 ? other.least : min(least, other.least)
        greatest = max(greatest, other.greatest)
        count += other.count
        sum += other.sum
        sumOfSquares += other.sumOfSquares
    }

    /// The mean in nanoseconds; `nil` without values.
    package var mean: Double? { count == 0 ? nil : sum / Double(count) }

    /// The standard deviation of the values themselves, in nanoseconds; `nil` without values.
    package var standardDeviation: Double? {
        guard let mean else { return nil }
        return max(0, sumOfSquares / Double(count) - mean * mean).squareRoot()
    }

    /// The quantile `fraction`, 0 to 1, in nanoseconds; between two ranks it is interpolated, as numpy does. `nil`
    /// without values.
    package func quantile(_ fraction: Double) -> Double? {
        if count == 0 { return nil }
        let position = min(max(fraction, 0), 1) * Double(count - 1)
        let rank = Int(position)
        let (below, above) = values(atRank: rank)
        return below + (above - below) * (position - Double(rank))
    }

    /// The share of values up to each bucket, for a plot: at most `pointsMax` points, the last with the share 1.
    package func distribution(pointsMax: Int) -> [(nanoseconds: Double, share: Double)] {
        if count == 0 { return [] }
        var points: [(nanoseconds: Double, share: Double)] = [(Double(least), 0)]
        let step = 1 / Double(max(1, pointsMax - 1))
        var seen = 0
        for (index, added) in counts.enumerated() where added > 0 {
            seen += Int(added)
            let share = Double(seen) / Double(count)
            guard share - (points.last?.share ?? 0) >= step || seen == count else { continue }
            points.append((representative(of: index), share))
        }
        return points
    }

    /// The values of a rank, counted from 0, and of the one behind it.
    private func values(atRank rank: Int) -> (Double, Double) {
        var seen = 0
        var below: Double?
        for (index, added) in counts.enumerated() where added > 0 {
            seen += Int(added)
            if below == nil, rank < seen { below = value(ofRank: rank, bucket: index) }
            if let below, rank + 1 < seen { return (below, value(ofRank: rank + 1, bucket: index)) }
        }
        return (below ?? Double(greatest), Double(greatest))
    }

    private func value(ofRank rank: Int, bucket: Int) -> Double {
        if rank == 0 { return Double(least) }
        return rank == count - 1 ? Double(greatest) : representative(of: bucket)
    }

    private func bucket(of value: Int64) -> Int {
        let exact = Int64(1) << Int64(precisionBits)
        if value < exact { return Int(value) }
        let shift = 63 - value.leadingZeroBitCount - precisionBits
        return (shift << precisionBits) + Int(value >> Int64(shift))
    }

    /// The middle of a bucket, held within the values that came.
    private func representative(of bucket: Int) -> Double {
        let buckets = 1 << precisionBits
        if bucket < 2 * buckets { return min(max(Double(bucket), Double(least)), Double(greatest)) }
        let shift = (bucket >> precisionBits) - 1
        let low = Double((bucket - (shift << precisionBits))) * Double(1 << shift)
        let middle = low + Double((1 << shift) - 1) / 2
        return min(max(middle, Double(least)), Double(greatest))
    }
}
