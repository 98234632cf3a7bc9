package import NIOCore

/// When batches of spans are sent, again or given up: the exporter without its queue, its socket and its clock.
///
/// One batch is on its way at a time. Meanwhile spans wait in a queue that is bounded elsewhere.
package struct ExportStateMachine: Sendable {
    /// The times of an exporter.
    package struct Times: Sendable, Hashable {
        /// How long spans wait for others before they are sent.
        package var delay = TimeAmount.seconds(5)
        /// How long the tries of one batch may take together.
        package var patience = TimeAmount.seconds(30)
        /// How long one try may take.
        package var timeout = TimeAmount.seconds(10)
        /// The first pause between two tries; each further one is twice as long.
        package var firstPause = TimeAmount.seconds(1)

        /// The defaults.
        package init() {}
    }

    /// What is to be done now.
    package enum Action: Sendable, Hashable {
        /// Take a batch out of the queue and send it, with this time for the try.
        case send(timeout: TimeAmount)
        /// Send the same batch again.
        case resend(timeout: TimeAmount)
        /// Nothing, until then or until something happens.
        case wait(until: NIODeadline)
        /// Nothing, until something happens.
        case idle
        /// Give up what is on its way and what waits: the time is over, or there is nothing left.
        case finish
    }

    /// What becomes of a batch after a try.
    package enum Verdict: Sendable, Hashable {
        /// It was taken.
        case done
        /// It will be sent again.
        case keep
        /// It is given up.
        case drop
    }

    private struct Tries {
        var count = 1
        let since: NIODeadline
    }

    private enum State {
        case collecting
        case sending(Tries)
        case pausing(Tries, until: NIODeadline)
        case finished
    }

    private let times: Times
    private let batchSize: Int
    private var state = State.collecting
    /// When spans are sent that are fewer than a batch.
    private var nextSend: NIODeadline
    /// Until when the collector asked to be left alone, when a batch was given up for that; else in the past.
    private var notBefore: NIODeadline
    /// When everything must have ended; `nil` before the shutdown.
    private var deadline: NIODeadline?

    /// Makes an exporter that waits for spans.
    package init(times: Times, batchSize: Int, now: NIODeadline) {
        self.times = times
        self.batchSize = batchSize
        nextSend = now + times.delay
        notBefore = now
    }

    /// What is to be done, with this many spans in the queue.
    package mutating func next(queued: Int, now: NIODeadline) -> Action {
        if let deadline, now >= deadline {
            state = .finished
            return .finish
        }
        switch state {
        case .collecting:
            return collect(queued, now)
        case .sending:
            return deadline.map(Action.wait) ?? .idle
        case .pausing(var tries, let until):
            guard now >= until else { return .wait(until: min(until, deadline ?? until)) }
            tries.count += 1
            state = .sending(tries)
            return .resend(timeout: timeout(now))
        case .finished:
            return .finish
        }
    }

    private mutating func collect(_ queued: Int, _ now: NIODeadline) -> Action {
        if queued == 0 {
            if deadline != nil {
                state = .finished
                return .finish
            }
            if now >= nextSend { nextSend = now + times.delay }
            return .wait(until: nextSend)
        }
        if now < notBefore {
            guard let deadline, deadline <= notBefore else { return .wait(until: notBefore) }
            // Nothing can be sent any more.
            state = .finished
            return .finish
        }
        guard queued >= batchSize || now >= nextSend || deadline != nil else { return .wait(until: nextSend) }
        nextSend = now + times.delay
        state = .sending(Tries(since: now))
        return .send(timeout: timeout(now))
    }

    private func timeout(_ now: NIODeadline) -> TimeAmount {
        deadline.map { min(times.timeout, $0 - now) } ?? times.timeout
    }

    /// Takes the outcome of the try that runs.
    ///
    /// - Parameters:
    ///   - outcome: the outcome.
    ///   - now: the present.
    ///   - jitter: a random number from 0 to 1, so that many exporters do not come back at the same time.
    package mutating func ended(_ outcome: ExportOutcome, now: NIODeadline, jitter: Double) -> Verdict {
        guard case .sending(let tries) = state else { return .drop }
        state = .collecting
        switch outcome {
        case .accepted:
            return .done
        case .refused:
            return .drop
        case .retryable(_, let after):
            let pause = max(pause(behind: tries.count, jitter: jitter), after ?? .zero)
            let until = now + pause
            if until >= tries.since + times.patience || deadline.map({ until >= $0 }) == true {
                // The next batch comes to the same collector.
                if let after { notBefore = now + after }
                return .drop
            }
            state = .pausing(tries, until: until)
            return .keep
        }
    }

    /// Ends: what waits is still sent, until `deadline`.
    package mutating func shutDown(by deadline: NIODeadline) {
        self.deadline = min(self.deadline ?? deadline, deadline)
    }

    /// From half to one and a half of a time that doubles with each try.
    private func pause(behind tries: Int, jitter: Double) -> TimeAmount {
        let doublings = min(tries - 1, 5)
        let usual = Double(times.firstPause.nanoseconds << Int64(doublings))
        return .nanoseconds(Int64(usual * (0.5 + jitter)))
    }
}
