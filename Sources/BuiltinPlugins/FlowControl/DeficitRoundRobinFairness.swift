import GatewayCore

/// Serves the flows in turn, each with as many tokens per round as its quantum says (Shreedhar and Varghese, "Efficient
/// Fair Queueing using Deficit Round Robin", 1995).
///
/// In its turn a flow gets `quantum · weight` added to its deficit, and is served while the deficit covers the expected
/// ``ServiceCost`` of its first request; then the next flow has its turn. A flow that has nothing waiting loses what is
/// left of its deficit, and keeps what it owes. The end of a request corrects the deficit by what its response
/// reported.
struct DeficitRoundRobinFairnessPolicy: FairnessPolicy {
    static let descriptor = PluginDescriptor(
        type: "deficit-round-robin-fairness-policy",
        stability: .alpha,
        summary: "Serves the flows in turn, each with a number of tokens per round."
    )

    private let cost: ServiceCost
    private let quantum: Double

    /// Reads `quantum` (default 8,192; 1 to 1,000,000,000), the tokens of a round, and the parameters of
    /// ``ServiceCost``.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        quantum = Double(parameters.int("quantum", default: 8_192, in: 1...1_000_000_000))
        cost = ServiceCost(parameters: parameters)
    }

    func makeState() -> any FairnessState { DeficitCounters(cost: cost, quantum: quantum) }
}

/// The deficits of one band.
struct DeficitCounters: FairnessState {
    private struct Account {
        /// The tokens of a round.
        let quantum: Double
        /// What the flow may still spend in its turn; below 0 what it owes.
        var deficit = 0.0
    }

    /// What has to be given out before a request can go.
    private struct Plan {
        let flow: Int
        /// How many turns the flow needs; 0 when it has its turn already.
        let turns: Double
    }

    private let cost: ServiceCost
    private let quantum: Double
    private var accounts = FlowTable<Account>()
    private var expectedOutput = ExpectedOutput()
    /// The flow whose turn it is.
    private var current = -1
    /// Of the last ``next(among:now:)``, in force when the flow is dispatched.
    private var plan: Plan?
    /// The flows that the plan is for. By number: holding on to `waiting` would make the queue copy it.
    private var planned: [Int] = []

    init(cost: ServiceCost, quantum: Double) {
        self.cost = cost
        self.quantum = quantum
    }

    /// The deficit of a flow, for tests; `nil` when it is unknown.
    func deficit(of flow: Int) -> Double? { accounts[flow]?.deficit }

    mutating func add(flow: Int, id: String) {
        accounts[flow] = Account(quantum: quantum * cost.share(of: id))
    }

    mutating func remove(flow: Int) {
        accounts[flow] = nil
        expectedOutput.remove(flow)
        plan = nil
    }

    mutating func becameBacklogged(flow: Int, among waiting: [WaitingFlow], now: MonotonicInstant) {
        guard let deficit = accounts[flow]?.deficit else { return }
        accounts[flow]?.deficit = min(0, deficit)
    }

    mutating func next(among waiting: [WaitingFlow], now: MonotonicInstant) -> Int {
        var best = 0
        var fewest = Double.infinity
        for index in waiting.indices {
            let turns = turns(of: waiting[index])
            if turns < fewest || (turns == fewest && isBefore(waiting[index].flow, waiting[best].flow)) {
                best = index
                fewest = turns
            }
        }
        plan = Plan(flow: waiting[best].flow, turns: fewest)
        planned.removeAll(keepingCapacity: true)
        if fewest > 0 { for flow in waiting { planned.append(flow.flow) } }
        return best
    }

    mutating func dispatched(flow: Int, uncachedTokens: Int, now: MonotonicInstant) -> Double {
        if let plan, plan.flow == flow, plan.turns > 0 { carryOut(plan) }
        plan = nil
        guard accounts[flow] != nil else { return 0 }
        current = flow
        let charge = cost.cost(uncachedTokens: uncachedTokens, outputTokens: expectedOutput.tokens(of: flow))
        accounts[flow]?.deficit -= charge
        return charge
    }

    mutating func ended(flow: Int, charged: Double, usage: TokenUsage?, now: MonotonicInstant) {
        guard let usage, charged.isFinite else { return }
        if usage != .none, accounts[flow] != nil { expectedOutput.learn(usage.completionTokens, from: flow) }
        accounts[flow]?.deficit += charged - cost.cost(of: usage)
    }

    /// How many turns the flow needs until its first request can go: as many quanta as cover what the request costs
    /// beyond the deficit, at least one; 0 for the flow whose turn it is when the deficit is enough.
    private func turns(of waiting: WaitingFlow) -> Double {
        guard let account = accounts[waiting.flow] else { return 1 }
        let price = cost.cost(
            uncachedTokens: waiting.uncachedTokens,
            outputTokens: expectedOutput.tokens(of: waiting.flow)
        )
        let missing = price - account.deficit
        if missing <= 0 { return waiting.flow == current ? 0 : 1 }
        return max(1, (missing / account.quantum).rounded(.up))
    }

    /// Whether `left` has its turn before `right`, counted from the flow whose turn it is; that one has its turn last.
    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        let (leftWraps, rightWraps) = (left <= current, right <= current)
        return leftWraps == rightWraps ? left < right : rightWraps
    }

    /// Gives out the quanta of the rounds that go by until the plan's flow can be served: one for each turn that a flow
    /// had meanwhile. Those behind it in the last round had one turn less.
    private mutating func carryOut(_ plan: Plan) {
        for flow in planned {
            guard let account = accounts[flow] else { continue }
            let isLate = flow != plan.flow && isBefore(plan.flow, flow)
            accounts[flow]?.deficit += (isLate ? plan.turns - 1 : plan.turns) * account.quantum
        }
    }
}
