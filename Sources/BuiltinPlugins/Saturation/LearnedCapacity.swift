import GatewayCore

/// How many requests an endpoint takes at once, learned from how long the first bytes of its responses took.
///
/// An engine that has room begins with a request at once; one that is full lets it wait, and then all wait. So the
/// limit L is tried out, as a congestion window is:
///
/// - A request is *slow* when its first byte took more than `2 · u + 20 ms`, with the unloaded time u of requests of
///   its length (``UnloadedTimes``).
/// - Requests sent while 0.8 L or more were open make up a round, until it has L / 4 of them, 4 to 32. Slow ones that
///   were sent while more than 1.25 L were open are left out: what others send says nothing about L.
/// - When more than three quarters of a round are slow, L falls to 0.9 L; in a full engine nobody is served at once,
///   whereas a long prompt delays only some. Else L grows by √L / 2, at least by 1. Before the first fall it grows by
///   a half, and the first fall takes that back.
/// - A new round begins with the requests that are sent after a change, so L changes at most once in a round trip.
/// - The unloaded time is learned from requests sent while at most L / 2 were open. Where an endpoint is so busy that
///   there was none for a minute, L counts half until the endpoint got a few such requests: else waiting would pass for
///   normal in the end. This is done so seldom that it takes at most a twentieth of the time.
///
/// L begins at 8 and stays in 1 ... 10,000. A value: whoever holds it makes calls exclusive.
struct LearnedCapacity: Sendable {
    /// The limit of an endpoint of which nothing is known.
    static let initialLimit = 8.0

    private static let bounds = 1.0...10_000.0
    /// The share of the limit from which on requests tell whether it is too high.
    private static let nearLimit = 0.8
    /// The share of the limit beyond which slow requests tell nothing about it.
    private static let farBeyondLimit = 1.25
    private static let decrease = 0.9
    private static let firstIncrease = 1.5
    /// How many times the unloaded time is slow.
    private static let slowRatio = 2.0
    /// What a first byte may take more than that, in seconds, for jitter.
    private static let slack = 0.02
    /// The share of slow requests in a round above which the engine is full.
    private static let slowShare = 0.75
    /// How long a busy endpoint goes without a request that met it half empty.
    private static let probeInterval = Duration.seconds(60)
    /// A probe takes at most one part in so many of the time.
    private static let probeRarity = 20
    /// An endpoint that is not half empty by then gets its requests from others as well.
    private static let longestDrain = Duration.seconds(60)
    /// How long a probe lasts once the endpoint is half empty, in unloaded times.
    private static let probeTimes = 4.0
    /// The bounds of that, in seconds.
    private static let probeBounds = 0.1...2.0

    /// A time of half the limit.
    private struct Probe {
        let startedAt: MonotonicInstant
        /// When the endpoint was seen half empty; `nil` before.
        var drainedAt: MonotonicInstant?
    }

    /// The limit, without the halving of a probe.
    private(set) var limit = initialLimit
    private var isFirstIncrease = true
    private var unloaded = UnloadedTimes()
    /// Requests sent before do not belong to the round.
    private var roundStart = MonotonicInstant(nanoseconds: .min)
    private var roundCount = 0
    private var slowCount = 0
    private var probe: Probe?
    /// No probe begins before; `nil` before anything was served.
    private var nextProbe: MonotonicInstant?

    /// The limit that counts at `now`, while `open` requests are open.
    mutating func limit(open: Int, at now: MonotonicInstant) -> Double {
        guard var probe else { return limit }
        let half = max(Self.bounds.lowerBound, limit / 2)
        if probe.drainedAt == nil, Double(open) < half {
            probe.drainedAt = now
            self.probe = probe
        }
        guard isOver(probe, at: now) else { return half }
        self.probe = nil
        let pause = max(Self.probeInterval, now.since(probe.startedAt) * Self.probeRarity)
        nextProbe = now.advanced(by: pause)
        return limit
    }

    /// Whether the probe has brought what it is for, or has no prospect of it.
    private func isOver(_ probe: Probe, at now: MonotonicInstant) -> Bool {
        guard let drainedAt = probe.drainedAt else { return now.since(probe.startedAt) >= Self.longestDrain }
        let bounds = Self.probeBounds
        let length = min(max(unloaded.longest * Self.probeTimes, bounds.lowerBound), bounds.upperBound)
        return now.seconds(since: drainedAt) >= length
    }

    /// A request was served.
    mutating func observe(_ request: ServedRequest) {
        let seconds = request.firstByteAt.seconds(since: request.sentAt)
        guard seconds >= 0, request.openRequests > 0 else { return }
        let open = Double(request.openRequests)
        if open <= max(1, limit / 2) {
            unloaded.add(seconds, tokens: request.uncachedTokens, isUnloaded: true, at: request.endedAt)
            postponeProbe(to: request.endedAt)
        }
        guard open >= limit * Self.nearLimit, request.sentAt >= roundStart else { return }
        guard let usual = unloaded.seconds(forTokens: request.uncachedTokens) else {
            // Nothing is known yet: this is the best guess until there is one of an idle endpoint.
            unloaded.add(seconds, tokens: request.uncachedTokens, isUnloaded: false, at: request.endedAt)
            return
        }
        let isSlow = seconds > Self.slowRatio * usual + Self.slack
        if isSlow, open > limit * Self.farBeyondLimit + 1 { return }
        roundCount += 1
        if isSlow { slowCount += 1 }
        if Double(roundCount) >= min(max(limit / 4, 4), 32) { endRound(at: request.endedAt) }
        beginProbeIfDue(at: request.endedAt)
    }

    private mutating func endRound(at now: MonotonicInstant) {
        var next = limit
        if Double(slowCount) > Self.slowShare * Double(roundCount) {
            next *= isFirstIncrease ? 1 / Self.firstIncrease : Self.decrease
            isFirstIncrease = false
        } else {
            next += isFirstIncrease ? limit * (Self.firstIncrease - 1) : max(1, limit.squareRoot() / 2)
        }
        limit = min(max(next, Self.bounds.lowerBound), Self.bounds.upperBound)
        roundStart = now
        roundCount = 0
        slowCount = 0
    }

    private mutating func postponeProbe(to now: MonotonicInstant) {
        let earliest = now.advanced(by: Self.probeInterval)
        nextProbe = nextProbe.map { max($0, earliest) } ?? earliest
    }

    private mutating func beginProbeIfDue(at now: MonotonicInstant) {
        guard probe == nil else { return }
        guard let due = nextProbe else { return postponeProbe(to: now) }
        if now >= due { probe = Probe(startedAt: now) }
    }
}

/// How long the first bytes of an endpoint's responses take while it has nothing else to do, by the number of prompt
/// tokens that it has to compute.
///
/// One window of times for each power of two of the tokens; the time is the lower quartile of the window's, which is
/// what most take at least: some prompts are shorter in truth, because the engine has more of them in its cache than
/// the gateway knows, and the shortest time would be theirs. A window without times borrows: the time for more tokens
/// is an upper bound, and so is that for fewer tokens multiplied by as much as there are more.
struct UnloadedTimes: Sendable {
    /// How many times a window has.
    private static let windowCount = 16
    /// How long a time counts once there are newer ones.
    private static let windowLength = Duration.seconds(180)
    /// Prompts are below 2^31 tokens.
    private static let bucketCount = 32

    private struct Sample {
        let seconds: Double
        let at: MonotonicInstant
        let isUnloaded: Bool
    }

    private struct Window {
        /// From the oldest.
        var samples: [Sample] = []
        /// The lower quartile; `nil` when there is no sample.
        var seconds: Double?
    }

    private var windows = [Window](repeating: Window(), count: bucketCount)

    /// The longest time of any length that was seen, 0 when none was.
    var longest: Double { windows.lazy.compactMap(\.seconds).max() ?? 0 }

    /// Adds a time. One that may be longer than that of an idle endpoint gives way to the first one that is not.
    mutating func add(_ seconds: Double, tokens: Int, isUnloaded: Bool, at now: MonotonicInstant) {
        let bucket = Self.bucket(of: tokens)
        windows[bucket].samples.removeAll { sample in
            (isUnloaded && !sample.isUnloaded) || now.since(sample.at) > Self.windowLength
        }
        if windows[bucket].samples.count == Self.windowCount { windows[bucket].samples.removeFirst() }
        windows[bucket].samples.append(Sample(seconds: seconds, at: now, isUnloaded: isUnloaded))
        let sorted = windows[bucket].samples.map(\.seconds).sorted()
        windows[bucket].seconds = sorted[(sorted.count - 1) / 4]
    }

    /// The time for `tokens` prompt tokens; `nil` when there is none for any number.
    func seconds(forTokens tokens: Int) -> Double? {
        let bucket = Self.bucket(of: tokens)
        if let own = windows[bucket].seconds { return own }
        let above = windows[bucket...].lazy.compactMap(\.seconds).first
        var below: Double?
        if let index = windows[..<bucket].lastIndex(where: { $0.seconds != nil }), let seconds = windows[index].seconds
        {
            below = seconds * Double(1 << (bucket - index))
        }
        guard let above, let below else { return above ?? below }
        return min(above, below)
    }

    /// Half the distance to the next power of two makes less difference than the ratio at which a request is slow.
    private static func bucket(of tokens: Int) -> Int {
        min(bucketCount - 1, Int.bitWidth - max(0, tokens).leadingZeroBitCount)
    }
}
