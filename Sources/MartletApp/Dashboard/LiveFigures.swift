import GatewayCore
import Telemetry

/// What two moments say together about the time between them.
struct LiveFigures: Hashable, Sendable {
    /// Three quantiles of something that was seen.
    struct Quantiles: Hashable, Sendable {
        let median: Double
        let ninetieth: Double
        let ninetyNinth: Double

        /// `nil` when nothing was seen.
        init?(_ totals: HistogramTotals) {
            guard let median = totals.quantile(0.5), let ninetieth = totals.quantile(0.9),
                let ninetyNinth = totals.quantile(0.99)
            else { return nil }
            self.median = median
            self.ninetieth = ninetieth
            self.ninetyNinth = ninetyNinth
        }
    }

    /// When, in seconds since 1970.
    var unixTime = 0.0
    /// Requests received per second.
    var requests = 0.0
    /// Errors per second.
    var errors = 0.0
    /// Requests at endpoints.
    var inFlight = 0
    /// Requests that wait.
    var waiting = 0
    /// Seconds to the first byte of the answer's body; `nil` when none was seen lately, as with the next three.
    var timeToFirstToken: Quantiles?
    /// Seconds between two pieces of a streamed answer.
    var interTokenLatency: Quantiles?
    /// Seconds from arrival to the end.
    var duration: Quantiles?
    /// Seconds of scheduling decisions.
    var decision: Quantiles?
    /// Prompt tokens per second.
    var promptTokens = 0.0
    /// Generated tokens per second.
    var outputTokens = 0.0
    /// The share of prompt tokens that came from a prefix cache lately, 0 to 1; `nil` when there were none.
    var cacheHit: Double?
    /// Processors in use; `nil` where nobody knows.
    var processors: Double?
}

/// The figures of the last minutes, a moment each second. A plain value.
struct LiveHistory: Sendable {
    /// How many moments are kept.
    static let capacity = 300
    /// Over how many seconds quantiles and shares are taken: over one they would jump.
    static let window = 10

    /// The figures, the oldest first.
    private(set) var figures: [LiveFigures] = []
    /// The last readings, the oldest first: enough for the window.
    private var readings: [TrafficReading] = []

    /// The figures of the last moment.
    var last: LiveFigures { figures.last ?? LiveFigures() }

    /// The last reading; `nil` before the first.
    var lastReading: TrafficReading? { readings.last }

    /// Adds a moment, which is later than those before.
    mutating func add(_ reading: TrafficReading) {
        if let previous = readings.last, let first = readings.first {
            if figures.count == Self.capacity { figures.removeFirst() }
            figures.append(Self.figures(of: reading, after: previous, over: first))
            if readings.count == Self.window { readings.removeFirst() }
        }
        readings.append(reading)
    }

    /// The figures of `reading`: rates since `previous`, all else since `first`.
    private static func figures(
        of reading: TrafficReading,
        after previous: TrafficReading,
        over first: TrafficReading
    ) -> LiveFigures {
        let seconds = max(reading.at.seconds(since: previous.at), 0.001)
        var figures = LiveFigures(unixTime: reading.unixTime)
        // A count falls when a series leaves; that is no traffic.
        figures.requests = Double(reading.requests - min(reading.requests, previous.requests)) / seconds
        figures.errors = Double(reading.errors - min(reading.errors, previous.errors)) / seconds
        figures.inFlight = reading.inFlight
        figures.waiting = reading.waiting
        figures.timeToFirstToken = LiveFigures.Quantiles(reading.timeToFirstToken.since(first.timeToFirstToken))
        figures.interTokenLatency = LiveFigures.Quantiles(reading.interTokenLatency.since(first.interTokenLatency))
        figures.duration = LiveFigures.Quantiles(reading.duration.since(first.duration))
        figures.decision = LiveFigures.Quantiles(reading.decision.since(first.decision))
        figures.promptTokens = max(0, reading.promptTokens - previous.promptTokens) / seconds
        figures.outputTokens = max(0, reading.outputTokens - previous.outputTokens) / seconds
        let prompt = reading.promptTokens - first.promptTokens
        if prompt > 0 { figures.cacheHit = min(1, max(0, reading.cachedTokens - first.cachedTokens) / prompt) }
        if let now = reading.processorSeconds, let before = previous.processorSeconds {
            figures.processors = max(0, now - before) / seconds
        }
        return figures
    }
}
