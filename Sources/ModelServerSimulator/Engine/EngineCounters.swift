/// What an engine tells about itself, taken at one moment.
package struct EngineCounters: Sendable, Hashable {
    /// Sequences in the batch.
    package var running = 0
    /// Requests not in the batch, for whatever reason.
    package var waiting = 0
    /// Those of `waiting` that wait for their adapter and not for room in the batch.
    package var waitingForAdapter = 0
    /// Share of the KV cache's usable blocks in use, from 0 to 1.
    package var cacheUsage = 0.0
    /// Blocks of the KV cache in use.
    package var usedBlocks = 0
    /// Blocks that a prompt could find, in use or not.
    package var cachedBlocks = 0
    /// Names of the adapters that running sequences use, sorted.
    package var runningAdapters: [String] = []
    /// Names of the adapters that waiting requests ask for, sorted.
    package var waitingAdapters: [String] = []
    /// Names of the adapters in slots, sorted.
    package var residentAdapters: [String] = []
    /// Everything counted since the beginning.
    package var totals = EngineTotals()
}

/// What an engine has counted since it began. Token counts are exact; the histograms are in seconds or tokens.
package struct EngineTotals: Sendable, Hashable {
    /// Requests taken in.
    package var accepted = 0
    /// Requests refused because the engine held its limit.
    package var rejectedQueueFull = 0
    /// Requests refused for what they are: too long, empty, or with an adapter the engine has no slot for.
    package var rejectedInvalid = 0
    /// Requests that ended by themselves.
    package var finishedStop = 0
    /// Requests that ended at their limit.
    package var finishedLength = 0
    /// Requests that were cancelled.
    package var cancelled = 0
    /// Times a sequence lost its blocks to another and began again.
    package var preemptions = 0
    /// Steps computed.
    package var steps = 0
    /// Prompt tokens that were looked for in the prefix cache.
    package var prefixQueryTokens = 0
    /// Prompt tokens found there.
    package var prefixHitTokens = 0
    /// Prompt tokens of requests whose prompt is done, found or computed.
    package var promptTokens = 0
    /// Tokens generated.
    package var generationTokens = 0
    /// Findable blocks whose content gave way.
    package var evictedBlocks = 0
    /// Adapters brought into a slot.
    package var adapterLoads = 0
    /// Virtual seconds of steps in which prompts were computed.
    package var prefillSeconds = 0.0
    /// Virtual seconds of all other steps.
    package var decodeSeconds = 0.0
    /// Tokens of the longest sequence seen.
    package var longestSequence = 0

    /// Seconds from arrival to the first token.
    package var timeToFirstToken = SimulatedHistogram(bounds: SimulatedHistogram.timeToFirstTokenBounds)
    /// Seconds between two tokens of one request.
    package var interTokenLatency = SimulatedHistogram(bounds: SimulatedHistogram.interTokenBounds)
    /// Seconds from arrival to the end.
    package var requestLatency = SimulatedHistogram(bounds: SimulatedHistogram.requestBounds)
    /// Seconds from arrival to the first step.
    package var queueTime = SimulatedHistogram(bounds: SimulatedHistogram.requestBounds)
    /// Prompt tokens of a request.
    package var promptLength = SimulatedHistogram(bounds: SimulatedHistogram.tokenBounds)
    /// Output tokens of a request.
    package var outputLength = SimulatedHistogram(bounds: SimulatedHistogram.tokenBounds)

    /// Share of the prompt tokens looked for that were found, from 0 to 1; 0 before the first request.
    package var prefixHitRatio: Double {
        prefixQueryTokens == 0 ? 0 : Double(prefixHitTokens) / Double(prefixQueryTokens)
    }
}

/// A histogram with fixed bounds, as a metrics page shows it.
package struct SimulatedHistogram: Sendable, Hashable {
    /// Upper bounds, rising; a value equal to a bound counts below it.
    package let bounds: [Double]
    /// Values per bound, each value counted once, with one more entry for values above the last bound.
    package private(set) var counts: [Int]
    /// Sum of all values.
    package private(set) var sum = 0.0
    /// Number of all values.
    package private(set) var count = 0

    init(bounds: [Double]) {
        self.bounds = bounds
        self.counts = Array(repeating: 0, count: bounds.count + 1)
    }

    mutating func observe(_ value: Double) {
        var low = 0
        var high = bounds.count
        while low < high {
            let middle = (low + high) / 2
            if value <= bounds[middle] {
                high = middle
            } else {
                low = middle + 1
            }
        }
        counts[low] += 1
        sum += value
        count += 1
    }

    // The bounds are those of vLLM's page, so that a dashboard made for one reads the other.
    static let timeToFirstTokenBounds = [
        0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
        160.0, 640.0, 2560.0,
    ]
    static let interTokenBounds = [
        0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
    ]
    static let requestBounds = [
        0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0, 960.0,
        1920.0, 7680.0,
    ]
    static let tokenBounds = [
        1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0, 20_000.0, 50_000.0,
    ]
}
