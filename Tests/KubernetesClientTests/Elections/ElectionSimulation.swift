@testable import KubernetesClient

/// A random election over virtual time: participants whose clocks are wrong and run unevenly, a network that delays,
/// loses and parts, a server that is away, participants that stop and start.
struct ElectionSimulation {
    /// How a participant may be broken.
    enum Defect: CaseIterable {
        /// Counts its time from the answer, not from the question, and waits for it as long as it takes.
        case countsFromAnswers
        /// Does not step down in time.
        case leadsTooLong
        /// Takes the lease over by the time that is written in it.
        case trustsWrittenTimes
    }

    /// What happens at a time.
    private enum Happening {
        /// A participant looks what to do, if nothing made it look since this was arranged.
        case look(Int, Int)
        /// A request reaches the server.
        case arrive(Int, Request)
        /// An answer reaches a participant.
        case answer(Int, Request, Outcome)
        /// A request has hung too long.
        case timeout(Int, Int)
        /// A watch tells a participant.
        case watched(Int, Lease?)
        /// Something goes wrong, or right again.
        case disturb
    }

    private struct Request {
        var number: Int
        var step: LeaderElectionMachine.Step
        /// By the participant's clock.
        var sentAt: Duration
    }

    private enum Outcome {
        case read(Lease?)
        case wrote(Lease)
        case failed(APIError)
    }

    private struct Participant {
        var machine: LeaderElectionMachine
        let identity: String
        /// How fast its clock runs, in thousandths.
        let pace: Int
        /// How wrong its time of day is.
        let offset: Duration
        var isRunning = true
        var isParted = false
        var hasWatch = true
        /// The request that it waits for.
        var pending: Int?
        var nextLook = 0
        /// When it last led, by its clock.
        var lastLed: Duration?
        /// When it was started, which is where its clock begins: what was meant for an earlier one is lost.
        var born = Duration.zero
    }

    /// What was seen that must never be.
    private(set) var violations: [String] = []
    /// How often somebody began to lead.
    private(set) var terms = 0
    private let defect: Defect?
    private let configuration = LeaderElectionConfiguration()
    private let name = ObjectName(namespace: "ns", name: "lease")
    private var random: SeededRandom
    private var now = Duration.zero
    private var queue: [(at: Duration, number: Int, what: Happening)] = []
    private var lastNumber = 0
    private var participants: [Participant] = []
    private var lease: Lease?
    private var version = 1
    private var isServerAway = false
    private var isQuiet = false
    private var slowness = Duration.milliseconds(20)
    private var leader: Int?

    init(seed: UInt64, defect: Defect? = nil) {
        self.defect = defect
        random = SeededRandom(seed: seed)
        for index in 0..<Int.random(in: 2...4, using: &random) {
            participants.append(makeParticipant(index))
            scheduleLook(index, after: .milliseconds(Int.random(in: 0..<3000, using: &random)))
        }
        schedule(.disturb, after: .seconds(10))
    }

    private mutating func makeParticipant(_ index: Int) -> Participant {
        let identity = "p\(index)-\(lastNumber)"
        return Participant(
            machine: LeaderElectionMachine(
                name: name, identity: identity, configuration: configuration,
                random: SeededRandom(seed: random.next())),
            identity: identity,
            // Clocks differ in pace by less than lease and deadline do (12 to 8).
            pace: Int.random(in: 850...1150, using: &random),
            offset: .seconds(Int.random(in: -100_000...100_000, using: &random)),
            hasWatch: random.chance(70),
            born: now
        )
    }

    /// Runs it for some minutes, the last of which is quiet.
    ///
    /// - Returns: whether there is one leader at the end.
    mutating func run() -> Bool {
        let disturbed = Duration.seconds(400)
        while let next = popNext(), next.at < disturbed + .seconds(60) {
            now = next.at
            if now >= disturbed, !isQuiet { calm() }
            happen(next.what)
            check()
        }
        return leaders.count == 1
    }

    private mutating func calm() {
        isQuiet = true
        isServerAway = false
        slowness = .milliseconds(20)
        for index in participants.indices {
            participants[index].isParted = false
            if !participants[index].isRunning { restart(index) }
        }
    }

    // MARK: Time

    private mutating func popNext() -> (at: Duration, number: Int, what: Happening)? {
        queue.popLast()
    }

    /// The queue is sorted, the next one last.
    private mutating func schedule(_ what: Happening, after delay: Duration) {
        lastNumber += 1
        let at = now + max(delay, .milliseconds(1))
        var index = queue.endIndex
        while index > 0, queue[index - 1].at <= at { index -= 1 }
        queue.insert((at, lastNumber, what), at: index)
    }

    private mutating func scheduleLook(_ index: Int, after delay: Duration) {
        lastNumber += 1
        participants[index].nextLook = lastNumber
        schedule(.look(index, lastNumber), after: delay)
    }

    /// What a participant's clock shows.
    private func local(_ index: Int) -> Duration {
        (now - participants[index].born) * participants[index].pace / 1000
    }

    private func date(_ index: Int) -> MicroTime {
        let time = now + participants[index].offset + .seconds(1_700_000_000)
        return MicroTime(microseconds: time.components.seconds * 1_000_000)
    }

    /// The delay of a message; `nil` when it is lost.
    private mutating func delay() -> Duration? {
        if !isQuiet, random.chance(5) { return nil }
        if !isQuiet, random.chance(4) { return .milliseconds(Int.random(in: 0..<30_000, using: &random)) }
        return slowness * Double.random(in: 0...1, using: &random)
    }

    // MARK: What happens

    private mutating func happen(_ what: Happening) {
        switch what {
        case .look(let index, let number):
            if participants[index].nextLook == number { look(index) }
        case .arrive(let index, let request): arrive(index, request)
        case .answer(let index, let request, let outcome): answer(index, request, outcome)
        case .timeout(let index, let number):
            guard participants[index].pending == number else { return }
            finish(index, .failed(.unreachable("no answer")), sentAt: local(index) - configuration.renewDeadline / 2)
        case .watched(let index, let lease):
            guard participants[index].isRunning, !participants[index].isParted else { return }
            participants[index].machine.watched(lease, at: local(index))
            look(index)
        case .disturb:
            guard !isQuiet else { return }
            disturb()
            schedule(.disturb, after: .milliseconds(Int.random(in: 500..<10_000, using: &random)))
        }
    }

    private mutating func look(_ index: Int) {
        guard participants[index].isRunning, participants[index].pending == nil else { return }
        let time = local(index)
        var step = participants[index].machine.next(at: time, date: date(index))
        if defect == .trustsWrittenTimes, case .read = step, let lease, let holder = lease.record.holder,
            holder != participants[index].identity, let renewed = lease.record.renewTime, renewed < date(index).text
        {
            // As if the lease had run out because the clock here is ahead.
            var taken = lease
            taken.record.holderIdentity = participants[index].identity
            step = .replace(taken)
        }
        if case .wait(let until) = step {
            let wait = (until - time) * 1000 / participants[index].pace
            return scheduleLook(index, after: wait + .microseconds(1))
        }
        let request = Request(number: lastNumber, step: step, sentAt: time)
        lastNumber += 1
        participants[index].pending = request.number
        let limit = defect == .countsFromAnswers ? Duration.seconds(60) : configuration.renewDeadline / 2
        schedule(.timeout(index, request.number), after: limit * 1000 / participants[index].pace)
        if !participants[index].isParted, let delay = delay() { schedule(.arrive(index, request), after: delay) }
    }

    private mutating func arrive(_ index: Int, _ request: Request) {
        guard !isServerAway else { return }
        let outcome = serve(request.step)
        if !participants[index].isParted, let delay = delay() {
            schedule(.answer(index, request, outcome), after: delay)
        }
    }

    /// What the server does.
    private mutating func serve(_ step: LeaderElectionMachine.Step) -> Outcome {
        switch step {
        case .read: return .read(lease)
        case .create(let new):
            guard lease == nil else { return .failed(.conflict("exists")) }
            return store(new)
        case .replace(let new):
            guard let current = lease else { return .failed(.notFound("gone")) }
            guard current.metadata.resourceVersion == new.metadata.resourceVersion else {
                return .failed(.conflict("changed"))
            }
            return store(new)
        case .wait: return .failed(.refused(status: 400, "no request"))
        }
    }

    private mutating func store(_ new: Lease) -> Outcome {
        version += 1
        let stored = new.stored(as: "\(version)")
        lease = stored
        tellWatches()
        return .wrote(stored)
    }

    private mutating func tellWatches() {
        for index in participants.indices where participants[index].hasWatch {
            if let delay = delay() { schedule(.watched(index, lease), after: delay) }
        }
    }

    private mutating func answer(_ index: Int, _ request: Request, _ outcome: Outcome) {
        guard participants[index].isRunning, participants[index].pending == request.number else { return }
        finish(index, outcome, sentAt: defect == .countsFromAnswers ? local(index) : request.sentAt)
    }

    private mutating func finish(_ index: Int, _ outcome: Outcome, sentAt: Duration) {
        participants[index].pending = nil
        let time = local(index)
        switch outcome {
        case .read(let lease): participants[index].machine.read(lease, sentAt: sentAt, at: time)
        case .wrote(let lease): participants[index].machine.wrote(lease, sentAt: sentAt, at: time)
        case .failed(let error): participants[index].machine.writeFailed(error, sentAt: sentAt, at: time)
        }
        look(index)
    }

    private mutating func disturb() {
        let index = Int.random(in: 0..<participants.count, using: &random)
        switch Int.random(in: 0..<10, using: &random) {
        case 0: participants[index].isParted.toggle()
        case 8: participants[index].isParted = false
        case 1: isServerAway.toggle()
        case 9: isServerAway = false
        case 2: slowness = .milliseconds(Int.random(in: 1...10_000, using: &random))
        case 3: slowness = .milliseconds(Int.random(in: 1...50, using: &random))
        case 4 where participants[index].isRunning:
            // It crashes.
            participants[index].isRunning = false
        case 5 where participants[index].isRunning: stop(index)
        case 6 where !participants[index].isRunning: restart(index)
        case 7:
            // Somebody touches the lease without meaning anything by it.
            if let lease { _ = store(lease) }
        default: break
        }
    }

    /// It ends in good order.
    private mutating func stop(_ index: Int) {
        participants[index].isRunning = false
        guard let given = participants[index].machine.release(at: date(index)), !participants[index].isParted else {
            return
        }
        if let delay = delay() {
            schedule(.arrive(index, Request(number: 0, step: .replace(given), sentAt: .zero)), after: delay)
        }
    }

    private mutating func restart(_ index: Int) {
        participants[index] = makeParticipant(index)
        scheduleLook(index, after: .milliseconds(1))
    }

    // MARK: What must hold

    private var leaders: [Int] {
        participants.indices.filter { index in
            guard participants[index].isRunning else { return false }
            let time = local(index)
            if participants[index].machine.standing(at: time) == .leading { return true }
            guard defect == .leadsTooLong, let last = participants[index].lastLed else { return false }
            return time < last + .seconds(6)
        }
    }

    private mutating func check() {
        let leaders = leaders
        if leaders.count > 1 { violations.append("\(now): \(leaders) lead") }
        for index in participants.indices where participants[index].machine.standing(at: local(index)) == .leading {
            participants[index].lastLed = local(index)
        }
        if let first = leaders.first, first != leader {
            leader = first
            terms += 1
        }
    }
}
