package import GatewayCore

/// The health of one endpoint during one life: a circuit breaker that is fed by requests and by scrapes.
///
///     healthy ──failures in a row, or refused scrapes──▶ ejected ──time, or an answered scrape──▶ half-open
///        ▲                                                  ▲                                        │
///        └─────────────── success ──────────────────────────┴────────────── failure ─────────────────┘
///
/// A pure value: the caller passes the time, and every event first lets time-driven changes happen. In half-open one
/// request at a time, the trial, finds out whether the endpoint works. Two kinds of ejection differ in how they end: an
/// endpoint that was *lost* (connect failed, connection broke, nobody listens) is back as soon as a scrape that began
/// after the ejection is answered; one that is *unwell* (gateway errors, timeouts) answers scrapes all the time, so
/// only time ends its ejection.
package struct EjectionStateMachine: Sendable {
    /// What may be sent to the endpoint.
    package enum Standing: Hashable, Sendable {
        /// Any request.
        case available
        /// One request, to find out whether it works.
        case trialFree
        /// No request while another endpoint is left: the trial is under way.
        case trialInFlight
        /// No request.
        case ejected
    }

    /// What an event changed.
    package enum Transition: Hashable, Sendable {
        /// The endpoint was ejected, from healthy or half-open.
        case ejected(EjectionReason)
        /// The endpoint may be tried.
        case halfOpened
        /// The endpoint is healthy again.
        case healed
    }

    /// One ejection.
    package struct Ejection: Hashable, Sendable {
        /// Why.
        package let reason: EjectionReason
        /// What the last failure said, for people.
        package let detail: String
        /// When it began.
        package let since: MonotonicInstant
        /// When time ends it.
        package fileprivate(set) var until: MonotonicInstant
    }

    /// The trial of a half-open endpoint; the number tells an old trial, whose time ran out, from the present one.
    private struct Trial {
        let number: Int
        let startedAt: MonotonicInstant
    }

    private enum State {
        /// Can transition to `ejected`.
        case healthy(failures: Int)
        /// Can transition to `halfOpen`, and to `healthy` when a request that was sent regardless succeeds.
        case ejected(Ejection)
        /// Can transition to `healthy` and `ejected`.
        case halfOpen(Ejection, Trial?)
    }

    private let configuration: EjectionConfiguration
    private var state = State.healthy(failures: 0)
    /// How many ejections are remembered: the exponent of the next one's duration.
    private var ejectionCount = 0
    private var lastTrialNumber = 0
    private var lastEjectedAt: MonotonicInstant?
    private var healedAt: MonotonicInstant?
    private var lastReachedAt: MonotonicInstant?
    private var refusedScrapes = 0
    private var firstRefusedAt: MonotonicInstant?

    /// A healthy endpoint of which nothing is known.
    package init(configuration: EjectionConfiguration) {
        self.configuration = configuration
    }

    /// What may be sent to the endpoint, as of the last event or ``tick(at:)``.
    package var standing: Standing {
        switch state {
        case .healthy: .available
        case .ejected: .ejected
        case .halfOpen(_, nil): .trialFree
        case .halfOpen(_, .some): .trialInFlight
        }
    }

    /// The ejection that the endpoint is in or coming back from; `nil` when healthy.
    package var ejection: Ejection? {
        switch state {
        case .healthy: nil
        case .ejected(let ejection), .halfOpen(let ejection, _): ejection
        }
    }

    /// When ``tick(at:)`` will change ``standing`` without another event; `nil` when it will not.
    package var nextChange: MonotonicInstant? {
        switch state {
        case .healthy, .halfOpen(_, nil): nil
        case .ejected(let ejection): ejection.until
        case .halfOpen(_, .some(let trial)): trial.startedAt.advanced(by: configuration.trialTimeout)
        }
    }

    /// Lets happen what time alone brings: the end of an ejection, the end of a trial's privilege.
    package mutating func tick(at now: MonotonicInstant) -> Transition? {
        guard let change = nextChange, change <= now else { return nil }
        switch state {
        case .ejected(let ejection):
            state = .halfOpen(ejection, nil)
            return .halfOpened
        case .halfOpen(let ejection, _):
            state = .halfOpen(ejection, nil)
            return nil
        case .healthy:
            return nil
        }
    }

    /// A request is being sent to the endpoint.
    ///
    /// - Returns: the number of the trial that the request is; `nil` when it is an ordinary request.
    package mutating func requestOpened(at now: MonotonicInstant) -> Int? {
        _ = tick(at: now)
        guard case .halfOpen(let ejection, nil) = state else { return nil }
        lastTrialNumber += 1
        state = .halfOpen(ejection, Trial(number: lastTrialNumber, startedAt: now))
        return lastTrialNumber
    }

    /// The head of a response arrived that is no gateway error. It ends a trial at once, since the rest of a generated
    /// response may take minutes.
    package mutating func responseBegan(openedAt: MonotonicInstant, at now: MonotonicInstant) -> Transition? {
        _ = tick(at: now)
        lastReachedAt = now
        return heal(openedAt: openedAt, at: now)
    }

    /// A request ended.
    ///
    /// - Parameters:
    ///   - verdict: what its end says of the endpoint.
    ///   - detail: what went wrong, for people.
    ///   - trial: what ``requestOpened(at:)`` returned for it.
    ///   - openedAt: when it was opened; a request from before the last ejection says nothing of the endpoint's
    ///     present.
    package mutating func requestClosed(
        _ verdict: RequestVerdict,
        detail: String,
        trial: Int?,
        openedAt: MonotonicInstant,
        at now: MonotonicInstant
    ) -> Transition? {
        let ticked = tick(at: now)
        switch verdict {
        case .success:
            lastReachedAt = now
            if case .healthy = state { state = .healthy(failures: 0) }
            return heal(openedAt: openedAt, at: now) ?? ticked
        case .failure(let reason):
            if let lastEjectedAt, openedAt < lastEjectedAt { return ticked }
            switch state {
            case .healthy(let failures):
                guard failures + 1 >= configuration.consecutiveFailures else {
                    state = .healthy(failures: failures + 1)
                    return ticked
                }
                return eject(reason, detail: detail, at: now)
            case .halfOpen:
                return eject(reason, detail: detail, at: now)
            case .ejected:
                return ticked
            }
        case .neutral:
            if case .halfOpen(let ejection, .some(let current)) = state, current.number == trial {
                state = .halfOpen(ejection, nil)
            }
            return ticked
        }
    }

    /// A scrape was answered with a status below 500.
    package mutating func scrapeAnswered(startedAt: MonotonicInstant, at now: MonotonicInstant) -> Transition? {
        let ticked = tick(at: now)
        refusedScrapes = 0
        lastReachedAt = now
        guard case .ejected(let ejection) = state, ejection.reason.isLoss, startedAt > ejection.since else {
            return ticked
        }
        state = .halfOpen(ejection, nil)
        return .halfOpened
    }

    /// A scrape found nobody listening.
    package mutating func scrapeRefused(
        detail: String,
        startedAt: MonotonicInstant,
        at now: MonotonicInstant
    ) -> Transition? {
        guard configuration.refusedScrapes > 0 else { return tick(at: now) }
        // Prolonged before time could end it: the endpoint is known to be gone.
        if case .ejected(var ejection) = state, ejection.reason.isLoss {
            ejection.until = max(ejection.until, now.advanced(by: configuration.refusedScrapeHold))
            state = .ejected(ejection)
            return nil
        }
        let ticked = tick(at: now)
        let wasReachedSince = lastReachedAt.map { $0 >= (firstRefusedAt ?? startedAt) } ?? false
        if refusedScrapes == 0 || wasReachedSince {
            refusedScrapes = 1
            firstRefusedAt = startedAt
        } else {
            refusedScrapes += 1
        }
        switch state {
        case .ejected:
            return ticked
        case .halfOpen(var ejection, let trial) where ejection.reason.isLoss:
            guard trial == nil else { return ticked }
            // The same ejection goes on: it does not count as another one.
            ejection.until = now.advanced(by: configuration.refusedScrapeHold)
            state = .ejected(ejection)
            return .ejected(ejection.reason)
        case .healthy, .halfOpen:
            guard refusedScrapes >= configuration.refusedScrapes else { return ticked }
            return eject(.unreachable, detail: detail, at: now)
        }
    }

    private mutating func heal(openedAt: MonotonicInstant, at now: MonotonicInstant) -> Transition? {
        guard let ejection, openedAt >= ejection.since else { return nil }
        state = .healthy(failures: 0)
        healedAt = now
        return .healed
    }

    private mutating func eject(_ reason: EjectionReason, detail: String, at now: MonotonicInstant) -> Transition {
        if case .healthy = state, let healedAt, now.since(healedAt) >= configuration.quietTime { ejectionCount = 0 }
        let until = now.advanced(by: duration(afterEjections: ejectionCount))
        ejectionCount += 1
        lastEjectedAt = now
        refusedScrapes = 0
        state = .ejected(Ejection(reason: reason, detail: detail, since: now, until: until))
        return .ejected(reason)
    }

    /// The base, doubled for each earlier ejection, up to the maximum.
    private func duration(afterEjections count: Int) -> Duration {
        var duration = configuration.baseDuration
        for _ in 0..<min(count, 62) {
            if duration >= configuration.maxDuration { break }
            duration += duration
        }
        return min(duration, configuration.maxDuration)
    }
}
