/// How a run went over time, in bins of equal width. When they would be too many, each two become one: the memory is
/// bounded however long a run takes.
package struct RunTimeline: Sendable {
    /// One bin.
    package struct Bin: Sendable {
        /// Requests whose answers ended, by their end.
        package internal(set) var completed = 0
        /// Requests that failed, by their end.
        package internal(set) var failed = 0
        /// Output tokens, by their arrival.
        package internal(set) var outputTokens = 0
        /// Times to first token, by the arrival of that token.
        package internal(set) var timeToFirstToken = LatencyHistogram(precisionBits: 5)

        mutating func merge(_ other: Bin) {
            completed += other.completed
            failed += other.failed
            outputTokens += other.outputTokens
            timeToFirstToken.merge(other.timeToFirstToken)
        }
    }

    /// The most bins.
    static let binsMax = 512

    /// The width of a bin in nanoseconds.
    package private(set) var width: Int64 = 1_000_000_000
    /// The bins from the origin on.
    package private(set) var bins: [Bin] = []
    /// The start of the first bin.
    private let origin: Int64

    init(origin: Int64) {
        self.origin = origin
    }

    /// The width of a bin in seconds.
    package var binSeconds: Double { Double(width) / 1e9 }

    /// Changes the bin of an instant; earlier ones than the origin have the first.
    mutating func note(at instant: Int64, _ change: (inout Bin) -> Void) {
        var index = Int(max(0, instant - origin) / width)
        while index >= Self.binsMax {
            widen()
            index = Int(max(0, instant - origin) / width)
        }
        if index >= bins.count { bins.append(contentsOf: repeatElement(Bin(), count: index + 1 - bins.count)) }
        change(&bins[index])
    }

    /// Adds the bins of a timeline with the same origin.
    mutating func merge(_ other: RunTimeline) {
        var other = other
        while width < other.width { widen() }
        while other.width < width { other.widen() }
        if other.bins.count > bins.count {
            bins.append(contentsOf: repeatElement(Bin(), count: other.bins.count - bins.count))
        }
        for (index, bin) in other.bins.enumerated() { bins[index].merge(bin) }
    }

    private mutating func widen() {
        width *= 2
        var wide: [Bin] = []
        for (index, bin) in bins.enumerated() {
            if index % 2 == 0 { wide.append(bin) } else { wide[wide.count - 1].merge(bin) }
        }
        bins = wide
    }
}
