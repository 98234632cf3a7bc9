#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// How a metric of one target relates to that of another, from blocks that were measured in pairs.
///
/// The interval is that of the median by order statistics: it supposes nothing of how ratios are distributed, and its
/// coverage is known exactly.
package struct PairedRatio: Sendable, Hashable {
    /// The ratio of each pair, ascending.
    package let ratios: [Double]
    /// The median of the ratios.
    package let median: Double
    /// The ends of the narrowest symmetric interval that has the true median with 95 % or more; `nil` with fewer than
    /// six pairs, of which not even the whole range has it.
    package let interval: ClosedRange<Double>?

    /// The chance that ``interval`` has the true median, at least.
    package static let coverage = 0.95

    /// Takes the ratios of pairs; `nil` without any. Ratios that are no number from 0 on are left out.
    package init?(_ ratios: [Double]) {
        let sorted = ratios.filter { $0.isFinite && $0 >= 0 }.sorted()
        if sorted.isEmpty { return nil }
        self.ratios = sorted
        let middle = sorted.count / 2
        median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] * sorted[middle]).squareRoot()
        interval = Self.interval(of: sorted, coverage: Self.coverage)
    }

    /// Whether the targets differ by more than the blocks do, for one of `count` ratios that are looked at together:
    /// of twenty intervals that each have their median with 95 %, one misses it.
    package func isBeyondNoise(among count: Int) -> Bool {
        let coverage = 1 - (1 - Self.coverage) / Double(max(1, count))
        return Self.interval(of: ratios, coverage: coverage).map { !$0.contains(1) } ?? false
    }

    private static func interval(of sorted: [Double], coverage: Double) -> ClosedRange<Double>? {
        inset(of: sorted.count, coverage: coverage).map { sorted[$0]...sorted[sorted.count - 1 - $0] }
    }

    /// How many values may be cut off at each end of `count` sorted ones; `nil` when all of them are too few.
    private static func inset(of count: Int, coverage: Double) -> Int? {
        // The chance that at most k of n values lie below the median, from the binomial distribution of fair coins.
        var below = pow(0.5, Double(count))
        var term = below
        var inset: Int?
        for cut in 0..<max(1, count / 2) {
            guard 1 - 2 * below >= coverage else { break }
            inset = cut
            term *= Double(count - cut) / Double(cut + 1)
            below += term
        }
        return inset
    }
}
