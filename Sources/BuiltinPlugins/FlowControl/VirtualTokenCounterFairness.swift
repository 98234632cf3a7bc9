import GatewayCore

/// Serves the flow that has had the least of the engines' work, counted in tokens (Sheng et al., "Fairness in Serving
/// Large Language Models", 2024).
///
/// Each flow has a counter. A dispatch adds the expected ``ServiceCost`` of the request, divided by the flow's weight;
/// its end corrects that by what the response reported. The flow with the smallest counter goes next. A flow that had
/// nothing waiting and has now is lifted to the smallest counter of the others that wait, and when none does, to that
/// of the flow that was served last: what it did not use is not saved up.
struct VirtualTokenCounterFairnessPolicy: FairnessPolicy {
    static let descriptor = PluginDescriptor(
        type: "virtual-token-counter-fairness-policy",
        stability: .alpha,
        summary: "Serves the flow that has had the fewest tokens for its weight."
    )

    private let cost: ServiceCost

    /// Reads the parameters of ``ServiceCost``.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        cost = ServiceCost(parameters: parameters)
    }

    func makeState() -> any FairnessState { VirtualTokenCounters(cost: cost) }
}

/// The counters of one band.
struct VirtualTokenCounters: FairnessState {
    private struct Account {
        let share: Double
        /// What the flow was charged, in tokens for its weight, from an origin that moves.
        var counter: Double
    }

    /// Counters are kept within this of 0, where a double tells thousandths of a token apart.
    static let rebaseDistance = 1_099_511_627_776.0

    private let cost: ServiceCost
    private var accounts = FlowTable<Account>()
    private var expectedOutput = ExpectedOutput()
    /// The flow that was served last, as long as it is known.
    private var lastFlow: Int?
    /// Its counter when it was forgotten.
    private var lastCounter = 0.0

    init(cost: ServiceCost) {
        self.cost = cost
    }

    /// The counter of a flow, for tests; `nil` when it is unknown.
    func counter(of flow: Int) -> Double? { accounts[flow]?.counter }

    /// What a flow is lifted to when nobody else waits.
    private var virtualTime: Double { lastFlow.flatMap { accounts[$0]?.counter } ?? lastCounter }

    mutating func add(flow: Int, id: String) {
        // As far behind as can be: it is lifted when it begins to wait.
        accounts[flow] = Account(share: cost.share(of: id), counter: -Self.rebaseDistance)
    }

    mutating func remove(flow: Int) {
        if lastFlow == flow {
            lastCounter = virtualTime
            lastFlow = nil
        }
        accounts[flow] = nil
        expectedOutput.remove(flow)
    }

    mutating func becameBacklogged(flow: Int, among waiting: [WaitingFlow], now: MonotonicInstant) {
        guard let own = accounts[flow]?.counter else { return }
        var smallest: Double?
        for other in waiting where other.flow != flow {
            guard let counter = accounts[other.flow]?.counter else { continue }
            smallest = smallest.map { min($0, counter) } ?? counter
        }
        let lifted = max(own, smallest ?? virtualTime)
        accounts[flow]?.counter = lifted
    }

    mutating func next(among waiting: [WaitingFlow], now: MonotonicInstant) -> Int {
        var best = 0
        var least = Double.infinity
        for index in waiting.indices {
            let counter = accounts[waiting[index].flow]?.counter ?? virtualTime
            if counter < least || (counter == least && waiting[index].precedes(waiting[best])) {
                best = index
                least = counter
            }
        }
        return best
    }

    mutating func dispatched(flow: Int, uncachedTokens: Int, now: MonotonicInstant) -> Double {
        guard let account = accounts[flow] else { return 0 }
        let tokens = expectedOutput.tokens(of: flow)
        let charge = cost.cost(uncachedTokens: uncachedTokens, outputTokens: tokens) / account.share
        if account.counter > Self.rebaseDistance { rebase(to: account.counter) }
        accounts[flow]?.counter += charge
        lastFlow = flow
        return charge
    }

    mutating func ended(flow: Int, charged: Double, usage: TokenUsage?, now: MonotonicInstant) {
        guard let usage, charged.isFinite, let account = accounts[flow] else { return }
        // What no endpoint got says nothing about how long answers are.
        if usage != .none { expectedOutput.learn(usage.completionTokens, from: flow) }
        accounts[flow]?.counter += cost.cost(of: usage) / account.share - charged
    }

    /// Moves the origin of all counters to `origin`: only what lies between them counts. A flow that is further behind
    /// than the distance has not waited for long, and is lifted anyway when it does.
    private mutating func rebase(to origin: Double) {
        accounts.update { $0.counter = max($0.counter - origin, -Self.rebaseDistance) }
        lastCounter = max(lastCounter - origin, -Self.rebaseDistance)
    }
}
