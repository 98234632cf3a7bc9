import GatewayCore
import NIOCore
import Synchronization

/// The numbers of the conversations of a closed loop, which the users of all event loops draw from. Safe from any
/// thread.
final class ConversationNumbers: Sendable {
    private let next = Atomic<Int>(0)
    private let limit: Int?

    init(limit: Int?) {
        self.limit = limit
    }

    /// The next number from 0 on; `nil` when there are no more.
    func take() -> Int? {
        let number = next.add(1, ordering: .relaxed).oldValue
        if let limit, number >= limit { return nil }
        return number
    }
}

extension LoadWorker {
    /// When the conversations of an open loop begin, in order: all of them, of which a worker takes its own.
    struct Arrivals {
        private let share: Share
        private var times: ArrivalProcess.Arrivals?
        private var number = 0

        init(_ share: Share) {
            self.share = share
            if case .open(let process) = share.plan.mode {
                times = ArrivalProcess.Arrivals(process, seed: share.plan.seed)
            }
        }

        /// The number and the time, in nanoseconds from the origin, of the worker's next conversation; `nil` when there
        /// are no more.
        mutating func next() -> (number: Int, nanoseconds: Int64)? {
            while share.plan.conversations.map({ number < $0 }) ?? true {
                guard let seconds = nextTime() else { return nil }
                if let limit = share.plan.seconds, seconds >= limit { return nil }
                defer { number += 1 }
                if number % share.workers == share.index {
                    return (number, Int64(Double.minimum(seconds, LoadPlan.secondsMax) * 1e9))
                }
            }
            return nil
        }

        private mutating func nextTime() -> Double? {
            if times != nil { return times?.next() }
            guard case .replay(let speed) = share.plan.mode, let entries = share.workload.trace?.entries,
                number < entries.count
            else { return nil }
            return (entries[number].seconds ?? 0) / speed
        }
    }

    // MARK: An open loop

    func beginArrivals() {
        guard let share = run?.share else { return }
        run?.arrivals = Arrivals(share)
        prepareArrival()
    }

    /// Makes the next conversation's first request ahead of its time, so that it only has to be sent when that comes.
    private func prepareArrival() {
        guard let share = run?.share else { return }
        guard let next = run?.arrivals?.next() else {
            run?.hasAllBegun = true
            return endRunIfOver()
        }
        let upcoming = request(of: next, share)
        run?.upcoming = upcoming
        awaitArrival()
    }

    private func request(of arrival: (number: Int, nanoseconds: Int64), _ share: Share) -> Attempt? {
        var line: Int?
        // A replay asks at the time of a line what stands in that line, in every part of a run.
        if case .replay = share.plan.mode { line = arrival.number }
        let conversation = share.workload.conversation(share.plan.firstConversation + arrival.number, line: line)
        return attempt(conversation, scheduled: share.origin + arrival.nanoseconds)
    }

    /// Sees to it that what comes next is sent when it is due. One timer is enough for all that look for it meanwhile.
    private func awaitArrival() {
        guard run?.timer == nil, let due = run?.upcoming?.record.scheduled else { return }
        let deadline = NIODeadline.uptimeNanoseconds(UInt64(max(0, due)))
        let number = run?.number
        let timer = loop.assumeIsolated().scheduleTask(deadline: deadline) {
            guard self.run?.number == number else { return }
            self.run?.timer = nil
            self.launchDue()
        }
        run?.timer = timer
    }

    /// Sends what is due, as far as there may be more under way. What has to wait is sent when something ends; its time
    /// counts from when it was due.
    private func launchDue() {
        while let upcoming = run?.upcoming {
            guard upcoming.record.scheduled <= Self.now else { return awaitArrival() }
            guard hasRoom else { return }
            run?.upcoming = nil
            run?.conversations += 1
            launch(upcoming)
            guard let share = run?.share, let next = run?.arrivals?.next() else {
                run?.hasAllBegun = true
                return
            }
            let following = request(of: next, share)
            run?.upcoming = following
        }
    }

    /// Whether another conversation may begin: each worker has its part of the most that may be under way.
    private var hasRoom: Bool {
        guard let run else { return false }
        let (whole, rest) = run.share.plan.inFlightMax.quotientAndRemainder(dividingBy: run.share.workers)
        return run.conversations < max(1, whole + (run.share.index < rest ? 1 : 0))
    }

    // MARK: A closed loop

    func beginUsers(_ users: Int, rampSeconds: Double) {
        guard let share = run?.share else { return }
        // Counted before the first of them begins, so that the run does not end in between.
        let mine = (0..<users).filter { $0 % share.workers == share.index }
        run?.hasAllBegun = true
        run?.conversations = mine.count
        let number = run?.number
        for user in mine {
            let delay = Int64(rampSeconds * 1e9 * Double(user) / Double(users))
            let deadline = NIODeadline.uptimeNanoseconds(UInt64(max(0, share.origin + delay)))
            loop.assumeIsolated().scheduleTask(deadline: deadline) {
                if self.run?.number == number { self.nextConversation(scheduled: Self.now) }
            }
        }
        endRunIfOver()
    }

    /// Begins a user's next conversation, or sends the user home.
    private func nextConversation(scheduled: Int64) {
        guard let share = run?.share else { return }
        guard !isOver, let number = share.numbers.take(),
            let attempt = attempt(
                share.workload.conversation(share.plan.firstConversation + number), scheduled: scheduled)
        else {
            run?.conversations -= 1
            return endRunIfOver()
        }
        launch(attempt)
    }

    // MARK: Both

    /// Whether the time of the run is over, so that nothing new begins.
    private var isOver: Bool {
        guard let share = run?.share, let seconds = share.plan.seconds else { return false }
        return Double(Self.now - share.origin) / 1e9 >= seconds
    }

    /// What follows a request: the conversation's next turn, the user's next conversation, or what waits.
    func goOn(after attempt: Attempt) {
        guard let share = run?.share else { return }
        let hasTurns = attempt.conversation.turn < share.workload.turns
        if hasTurns, attempt.record.isSuccess, !isOver {
            return afterThinking {
                guard let next = self.attempt(attempt.conversation, scheduled: Self.now) else { return }
                self.launch(next)
            }
        }
        if case .closed = share.plan.mode {
            return afterThinking { self.nextConversation(scheduled: Self.now) }
        }
        run?.conversations -= 1
        launchDue()
        endRunIfOver()
    }

    private func afterThinking(_ body: @escaping () -> Void) {
        guard let run else { return }
        let seconds = run.share.plan.thinkSeconds
        let number = run.number
        // Not from within the end of the last answer: a row of short ones would nest.
        let pause = TimeAmount.nanoseconds(Int64(seconds * 1e9))
        loop.assumeIsolated().scheduleTask(in: pause) {
            if self.run?.number == number { body() }
        }
    }
}
