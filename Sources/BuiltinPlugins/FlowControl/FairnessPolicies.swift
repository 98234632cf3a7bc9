import GatewayCore

/// Takes the request that the ordering policy puts first, whatever flow it belongs to: no fairness between flows.
struct GlobalStrictFairnessPolicy: FairnessPolicy {
    static let descriptor = PluginDescriptor(
        type: "global-strict-fairness-policy",
        summary: "Serves the request that the ordering policy puts first, whatever its flow."
    )

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func makeState() -> any FairnessState { State() }

    private struct State: FairnessState {
        mutating func add(flow: Int, id: String) {}

        mutating func remove(flow: Int) {}

        mutating func next(among waiting: [WaitingFlow], now: MonotonicInstant) -> Int {
            var best = 0
            for index in waiting.indices.dropFirst() where waiting[index].precedes(waiting[best]) { best = index }
            return best
        }
    }
}

/// Serves the flows of a priority in turn, in the order in which they came; a flow without waiting requests is passed
/// over.
struct RoundRobinFairnessPolicy: FairnessPolicy {
    static let descriptor = PluginDescriptor(
        type: "round-robin-fairness-policy",
        summary: "Serves the flows of a priority in turn."
    )

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func makeState() -> any FairnessState { State() }

    private struct State: FairnessState {
        /// The flow that was served last.
        private var last = -1

        mutating func add(flow: Int, id: String) {}

        mutating func remove(flow: Int) {}

        mutating func next(among waiting: [WaitingFlow], now: MonotonicInstant) -> Int {
            waiting.nextInTurn(after: last)
        }

        mutating func dispatched(flow: Int, uncachedTokens: Int, now: MonotonicInstant) -> Double {
            last = flow
            return 0
        }
    }
}

extension WaitingFlow {
    /// Whether its first request goes before that of `other` where flows do not count.
    func precedes(_ other: WaitingFlow) -> Bool {
        if rank != other.rank { return rank < other.rank }
        return enqueuedAt != other.enqueuedAt ? enqueuedAt < other.enqueuedAt : flow < other.flow
    }
}

extension [WaitingFlow] {
    /// The index of the flow with the next number after `last`; behind the highest, of the lowest. Never empty.
    func nextInTurn(after last: Int) -> Int {
        var lowest = 0
        var next: Int?
        for index in indices {
            let flow = self[index].flow
            if flow < self[lowest].flow { lowest = index }
            guard flow > last else { continue }
            if let present = next, self[present].flow < flow { continue }
            next = index
        }
        return next ?? lowest
    }
}

/// Serves the program that has had the least of the engines' work lately; a program is what has a fairness id.
struct ProgramAwareFairnessPolicy: FairnessPolicy {
    static let descriptor = PluginDescriptor(
        type: "program-aware-fairness",
        summary: "Serves the program that has had the least of the engines' work lately."
    )

    /// What the configuration says.
    struct Parameters: Hashable, Sendable {
        /// How the programs are compared.
        enum Strategy: String, CaseIterable, Sendable {
            /// By the work that each has had: prompt tokens and twice the generated tokens, fading with time.
            case leastAttainedService = "las"
        }

        /// How the programs are compared (`strategy`).
        var strategy = Strategy.leastAttainedService
        /// The weight of the work that a program has had (`lasWeightService`), 0 or more.
        var serviceWeight = 0.8
        /// The weight of how long a program's first request waits (`lasWeightHeadWait`), 0 or more.
        var headWaitWeight = 0.2
        /// The time in which work counts half (`lasHalfLifeSeconds`); `nil` for work that never fades.
        var halfLife: Duration? = .seconds(60)
        /// How long a program is remembered that sends nothing (`evictionTtlSeconds`); `nil` for ever.
        var evictionTTL: Duration? = .seconds(3600)
        /// How often programs are looked through for those to forget (`evictionSweepSeconds`).
        var evictionSweep = Duration.seconds(300)
    }

    /// What the configuration says.
    let settings: Parameters

    /// Reads the parameters that ``Parameters`` names; times are seconds, up to a year, and 0 means `nil`.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        let year = 31_536_000.0
        var settings = Parameters()
        settings.strategy = parameters.enumeration("strategy", default: settings.strategy)
        let weights = 0.0...1_000_000
        settings.serviceWeight = parameters.double("lasWeightService", default: settings.serviceWeight, in: weights)
        settings.headWaitWeight = parameters.double("lasWeightHeadWait", default: settings.headWaitWeight, in: weights)
        if let seconds = parameters.double("lasHalfLifeSeconds", in: 0...year) {
            settings.halfLife = seconds == 0 ? nil : .seconds(seconds)
        }
        if let seconds = parameters.double("evictionTtlSeconds", in: 0...year) {
            settings.evictionTTL = seconds == 0 ? nil : .seconds(seconds)
        }
        let sweep = parameters.positive("evictionSweepSeconds", default: 300, atMost: year)
        settings.evictionSweep = .seconds(sweep)
        self.settings = settings
    }

    func makeState() -> any FairnessState { State(settings: settings) }

    /// The work that each program had. Each program's score is
    /// `weight * (1 - work / most work) + weight * wait / longest wait`, and the highest goes next.
    private struct State: FairnessState {
        private struct Program {
            var service = 0.0
            /// When ``service`` was as large as it says.
            var at: MonotonicInstant
            /// When it sent something or a request of it ended.
            var seenAt: MonotonicInstant
            /// How long its requests waited that were let go, and how many they are.
            var waited = Duration.zero
            var dispatched = 0

            init(at now: MonotonicInstant) {
                at = now
                seenAt = now
            }

            /// The work that counts at `now`, of which half is forgotten in each `halfLife`.
            func service(at now: MonotonicInstant, halfLife: Duration?) -> Double {
                guard let halfLife, service > 0 else { return service }
                let halvings = max(0, now.seconds(since: at)) / halfLife.fractionalSeconds
                return halvings < 1_000 ? service * 0.5.raised(to: halvings) : 0
            }
        }

        private let settings: Parameters
        /// By program.
        private var programs: [String: Program] = [:]
        /// By flow.
        private var names: [Int: String] = [:]
        private var nextSweep: MonotonicInstant?
        /// The flow that was chosen last, and since when its first request waits.
        private var chosen: WaitingFlow?

        init(settings: Parameters) {
            self.settings = settings
        }

        mutating func add(flow: Int, id: String) {
            names[flow] = id
        }

        /// What the program had is remembered: it may come back.
        mutating func remove(flow: Int) {
            names[flow] = nil
        }

        mutating func next(among waiting: [WaitingFlow], now: MonotonicInstant) -> Int {
            let services = waiting.map { waiting in
                names[waiting.flow].flatMap { programs[$0] }?.service(at: now, halfLife: settings.halfLife) ?? 0
            }
            let waits = waiting.map { max(0, now.seconds(since: $0.enqueuedAt)) }
            let mostService = services.max() ?? 0
            let longestWait = waits.max() ?? 0
            var best = 0
            var bestScore = -1.0
            for index in waiting.indices {
                let served = mostService > 0 ? services[index] / mostService : 0
                let waited = longestWait > 0 ? waits[index] / longestWait : 0
                let score = settings.serviceWeight * (1 - served) + settings.headWaitWeight * waited
                let isBetter =
                    score > bestScore || (score == bestScore && waiting[index].precedes(waiting[best]))
                if isBetter {
                    best = index
                    bestScore = score
                }
            }
            chosen = waiting[best]
            return best
        }

        mutating func dispatched(flow: Int, uncachedTokens: Int, now: MonotonicInstant) -> Double {
            guard let chosen, chosen.flow == flow, let name = names[flow] else { return 0 }
            self.chosen = nil
            var program = programs[name] ?? Program(at: now)
            program.seenAt = now
            program.waited += max(.zero, now.since(chosen.enqueuedAt))
            program.dispatched += 1
            programs[name] = program
            return 0
        }

        func programs(now: MonotonicInstant) -> [ProgramFigures]? {
            programs.map { name, program in
                ProgramFigures(
                    id: name,
                    attainedService: program.service(at: now, halfLife: settings.halfLife),
                    waited: program.waited,
                    dispatched: program.dispatched
                )
            }
        }

        mutating func ended(flow: Int, charged: Double, usage: TokenUsage?, now: MonotonicInstant) {
            sweep(at: now)
            guard let usage, let name = names[flow] else { return }
            var program = programs[name] ?? Program(at: now)
            let present = program.service(at: now, halfLife: settings.halfLife)
            program.service =
                present + ServiceCost.count(usage.promptTokens) + 2 * ServiceCost.count(usage.completionTokens)
            program.at = now
            program.seenAt = now
            programs[name] = program
        }

        /// Forgets programs that sent nothing for long.
        private mutating func sweep(at now: MonotonicInstant) {
            guard let lifetime = settings.evictionTTL, now >= nextSweep ?? now else { return }
            nextSweep = now.advanced(by: settings.evictionSweep)
            programs = programs.filter { now.since($0.value.seenAt) < lifetime }
        }
    }
}
