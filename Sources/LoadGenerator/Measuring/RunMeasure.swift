/// Everything that is kept of a run: counts and histograms, no request by itself. Each event loop fills one; they are
/// merged at the end. A plain value.
package struct RunMeasure: Sendable {
    /// What one endpoint served.
    package struct Share: Sendable, Hashable {
        /// Requests that were answered.
        package internal(set) var requests = 0
        /// Their output tokens.
        package internal(set) var outputTokens = 0
        /// Prompt tokens.
        package internal(set) var promptTokens = 0
        /// Prompt tokens from the prefix cache.
        package internal(set) var cachedTokens = 0
        /// The sum of their times to first token in nanoseconds.
        package internal(set) var timeToFirstTokenSum = 0.0
    }

    /// The most names, of failures or of endpoints, that are told apart.
    static let namesMax = 4_096
    /// What stands for all others.
    static let otherName = "(others)"

    /// From the schedule to the first token.
    package internal(set) var timeToFirstToken = LatencyHistogram()
    /// The mean time of a token behind the first one, for each request.
    package internal(set) var timePerOutputToken = LatencyHistogram()
    /// Between the events of a stream.
    package internal(set) var interTokenLatency = LatencyHistogram()
    /// From the schedule to the end of the answer.
    package internal(set) var endToEnd = LatencyHistogram()
    /// From the schedule to the sending: in an open loop, how late the load was.
    package internal(set) var sendDelay = LatencyHistogram()
    /// How late the event loops ran their timers: the generator's own slowness.
    package internal(set) var loopLag = LatencyHistogram()
    /// Requests that were answered.
    package internal(set) var completed = 0
    /// Requests that failed.
    package internal(set) var failed = 0
    /// Requests that were under way when the run was broken off.
    package internal(set) var unfinished = 0
    /// Requests of the warm-up, which count nowhere else.
    package internal(set) var warmUp = 0
    /// Requests that kept the objectives.
    package internal(set) var good = 0
    /// Requests whose answer told its tokens.
    package internal(set) var withUsage = 0
    /// Requests that were sent again because the server had closed an idle connection.
    package internal(set) var sentAgain = 0
    /// Connections that were opened.
    package internal(set) var connections = 0
    /// Prompt tokens.
    package internal(set) var promptTokens = 0
    /// Output tokens.
    package internal(set) var outputTokens = 0
    /// Prompt tokens from the prefix cache.
    package internal(set) var cachedTokens = 0
    /// The most requests under way at once.
    package internal(set) var inFlightMax = 0
    /// Failed requests by status and reason.
    package private(set) var failures: [String: Int] = [:]
    /// What each endpoint served, where a gateway tells.
    package private(set) var shares: [String: Share] = [:]
    /// The run over time.
    package private(set) var timeline: RunTimeline
    /// The first schedule and the last end of what was measured, in nanoseconds; `nil` while nothing was.
    package private(set) var span: ClosedRange<Int64>?

    /// A measure of nothing yet.
    ///
    /// - Parameter origin: when the run begins, in nanoseconds of the event loops' clock.
    package init(origin: Int64) {
        timeline = RunTimeline(origin: origin)
    }

    /// The seconds from the first schedule to the last end.
    package var seconds: Double { span.map { Double($0.upperBound - $0.lowerBound) / 1e9 } ?? 0 }

    /// Takes a request that ended.
    mutating func record(_ request: RequestRecord, objectives: LatencyObjectives?) {
        extend(by: request.scheduled, request.ended)
        sendDelay.record(request.sent > 0 ? request.sent - request.scheduled : 0)
        if request.wasSentAgain { sentAgain += 1 }
        guard request.isSuccess else {
            failed += 1
            count(request.failure ?? "")
            timeline.note(at: request.ended) { $0.failed += 1 }
            return
        }
        completed += 1
        if objectives?.areKept(by: request) == true { good += 1 }
        let tokens = request.outputTokens
        outputTokens += tokens
        if let usage = request.usage {
            withUsage += 1
            promptTokens += usage.prompt
            cachedTokens += usage.cached
        }
        endToEnd.record(request.duration)
        for gap in request.gaps { interTokenLatency.record(gap) }
        if let time = request.timePerOutputToken { timePerOutputToken.record(time) }
        timeline.note(at: request.ended) { $0.completed += 1 }
        if let first = request.firstToken, let time = request.timeToFirstToken {
            timeToFirstToken.record(time)
            timeline.note(at: first) { $0.timeToFirstToken.record(time) }
        }
        spread(tokens, of: request)
        share(request, tokens: tokens)
    }

    /// Adds what another event loop measured of the same run.
    mutating func merge(_ other: RunMeasure) {
        timeToFirstToken.merge(other.timeToFirstToken)
        timePerOutputToken.merge(other.timePerOutputToken)
        interTokenLatency.merge(other.interTokenLatency)
        endToEnd.merge(other.endToEnd)
        sendDelay.merge(other.sendDelay)
        loopLag.merge(other.loopLag)
        for path in Self.counters { self[keyPath: path] += other[keyPath: path] }
        for (name, added) in other.failures { failures[known(name, in: failures), default: 0] += added }
        for (name, added) in other.shares {
            let name = known(name, in: shares)
            for path in Self.shareCounters { shares[name, default: Share()][keyPath: path] += added[keyPath: path] }
            shares[name, default: Share()].timeToFirstTokenSum += added.timeToFirstTokenSum
        }
        timeline.merge(other.timeline)
        if let span = other.span { extend(by: span.lowerBound, span.upperBound) }
    }

    // The most under way at once on each loop add up to a little more than the most in all.
    private static var counters: [WritableKeyPath<RunMeasure, Int>] {
        [
            \.completed, \.failed, \.unfinished, \.warmUp, \.good, \.withUsage, \.sentAgain, \.connections,
            \.promptTokens,
            \.outputTokens, \.cachedTokens, \.inFlightMax,
        ]
    }
    private static var shareCounters: [WritableKeyPath<Share, Int>] {
        [\.requests, \.outputTokens, \.promptTokens, \.cachedTokens]
    }

    private mutating func extend(by start: Int64, _ end: Int64) {
        let end = max(start, end)
        span = span.map { min($0.lowerBound, start)...max($0.upperBound, end) } ?? start...end
    }

    /// Puts tokens into the bins of their arrival: that of the first, and those behind it where the events came.
    private mutating func spread(_ tokens: Int, of request: RequestRecord) {
        guard tokens > 0 else { return }
        guard let first = request.firstToken, request.textEvents > 0 else {
            return timeline.note(at: request.ended) { $0.outputTokens += tokens }
        }
        // An event may have several tokens, and a server may tell tokens that it sent no text for.
        var arrival = first
        var placed = 0
        for event in 0..<request.textEvents {
            if event > 0, event - 1 < request.gaps.count { arrival += request.gaps[event - 1] }
            let due = tokens * (event + 1) / request.textEvents
            timeline.note(at: arrival) { $0.outputTokens += due - placed }
            placed = due
        }
    }

    private mutating func share(_ request: RequestRecord, tokens: Int) {
        guard let server = request.server else { return }
        let name = known(server, in: shares)
        var share = shares[name] ?? Share()
        share.requests += 1
        share.outputTokens += tokens
        share.promptTokens += request.usage?.prompt ?? 0
        share.cachedTokens += request.usage?.cached ?? 0
        share.timeToFirstTokenSum += Double(request.timeToFirstToken ?? 0)
        shares[name] = share
    }

    private mutating func count(_ failure: String) {
        failures[known(failure, in: failures), default: 0] += 1
    }

    private func known<Value>(_ name: String, in table: [String: Value]) -> String {
        table[name] != nil || table.count < Self.namesMax ? name : Self.otherName
    }
}
