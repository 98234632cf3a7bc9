import GatewayCore

/// What a configuration promises about the order in which requests go.
package struct QueuePromises: Sendable, Hashable {
    /// Nobody goes while somebody of a higher priority waits.
    package var strictPriorities = true
    /// Of one flow, who came first goes first.
    package var firstComeFirstServed = true
    /// A flow goes at most once between two turns of another one that waits.
    package var takesTurns = false
    /// Nobody waits while an endpoint has room.
    package var conservesWork = true
    /// The most dispatches of higher priorities in a row while a lower one waits; `nil` for no bound.
    package var mostPassesOver: Int?

    /// How far apart the tokens of flows get; `nil` for no bound.
    package var tokens: TokenPromise?

    /// What the defaults promise.
    package init() {}

    /// Promises no order: some requests may go where others may not.
    mutating func forgetOrder() {
        strictPriorities = false
        firstComeFirstServed = false
        takesTurns = false
        conservesWork = false
        mostPassesOver = nil
        tokens = nil
    }
}

/// The simulation's own view of the queue, which the gateway's decisions must fit.
struct QueueCheck {
    /// A request that waits.
    struct Waiting {
        let priority: Int
        let flow: String
        /// Counts arrivals.
        let arrival: Int
        /// The tokens of its prompt that are charged when it goes.
        let tokens: ClosedRange<Double>
    }

    private struct FlowName: Hashable {
        let priority: Int
        let flow: String
    }

    private let promises: QueuePromises
    private var waiting: [Int: Waiting] = [:]
    private var arrivals = 0
    /// By flow that waits: how often each other flow of its priority went since its last turn.
    private var passes: [FlowName: [String: Int]] = [:]
    /// How many of the highest priority went in a row while a lower one waited.
    private var passesInARow = 0
    /// Requests whose turn has come and who were not told yet.
    private(set) var decided: Set<Int> = []
    private(set) var dispatches = 0
    private var tokenCheck: TokenCheck?

    init(promises: QueuePromises) {
        self.promises = promises
        tokenCheck = promises.tokens.map(TokenCheck.init)
    }

    /// How many requests wait, and how many know nothing yet of their turn.
    var count: Int { waiting.count + decided.count }

    var isAnyoneWaiting: Bool { !waiting.isEmpty }

    /// A request waits.
    mutating func entered(_ number: Int, priority: Int, flow: String, tokens: ClosedRange<Double>) {
        arrivals += 1
        waiting[number] = Waiting(priority: priority, flow: flow, arrival: arrivals, tokens: tokens)
        let name = FlowName(priority: priority, flow: flow)
        if passes[name] == nil {
            passes[name] = [:]
            tokenCheck?.began(TokenCheck.Flow(priority: priority, id: flow))
        }
    }

    /// A request waits no more, without having gone.
    mutating func left(_ number: Int) {
        decided.remove(number)
        guard let entry = waiting.removeValue(forKey: number) else { return }
        forget(entry)
    }

    /// The gateway decided about a request that waited.
    ///
    /// - Parameter isDispatched: whether it goes on.
    /// - Returns: what the decision breaks; `nil` when it fits.
    mutating func decide(_ number: Int, isDispatched: Bool) -> String? {
        guard let entry = waiting.removeValue(forKey: number) else {
            return "request \(number), which does not wait, was decided about"
        }
        decided.insert(number)
        guard isDispatched else {
            forget(entry)
            return nil
        }
        return dispatched(number, entry)
    }

    /// The turns of a flow are counted anew: when it went is not known.
    mutating func losesCount(priority: Int, flow: String) {
        for name in passes.keys where name.priority == priority { passes[name]?[flow] = -1 }
        let name = TokenCheck.Flow(priority: priority, id: flow)
        tokenCheck?.stopped(name)
        if passes[FlowName(priority: priority, flow: flow)] != nil { tokenCheck?.began(name) }
    }

    /// A request went on without having waited.
    mutating func passed(_ number: Int, priority: Int, flow: String, tokens: ClosedRange<Double>) -> String? {
        arrivals += 1
        return dispatched(
            number, Waiting(priority: priority, flow: flow, arrival: arrivals, tokens: tokens))
    }

    /// A request that was let go is about to end.
    ///
    /// - Parameter cost: its tokens as ``TokenCheck`` counts them; `nil` when they are not known.
    mutating func ends(_ number: Int, cost: Double?) {
        tokenCheck?.ends(number, cost: cost)
    }

    /// A request ended.
    mutating func ended(_ number: Int) {
        tokenCheck?.ended(number)
    }

    /// The request was told.
    mutating func told(_ number: Int) {
        decided.remove(number)
    }

    private mutating func dispatched(_ number: Int, _ entry: Waiting) -> String? {
        dispatches += 1
        defer { forget(entry) }
        for (other, rival) in waiting {
            if promises.strictPriorities, rival.priority > entry.priority {
                return "request \(number) of priority \(entry.priority) went while \(other) of \(rival.priority) waits"
            }
            if promises.firstComeFirstServed, rival.priority == entry.priority, rival.flow == entry.flow,
                rival.arrival < entry.arrival
            {
                return "request \(number) went before \(other), which came earlier in the flow '\(entry.flow)'"
            }
        }
        let flow = TokenCheck.Flow(priority: entry.priority, id: entry.flow)
        let tokens = tokenCheck?.dispatched(number, of: flow, tokens: entry.tokens)
        return turns(entry) ?? passingOver(entry) ?? tokens
    }

    private mutating func turns(_ entry: Waiting) -> String? {
        passes[FlowName(priority: entry.priority, flow: entry.flow)] = [:]
        guard promises.takesTurns else { return nil }
        for name in passes.keys where name.priority == entry.priority && name.flow != entry.flow {
            let count = passes[name]?[entry.flow, default: 0] ?? 0
            if count >= 1 {
                return "the flow '\(entry.flow)' went twice, and '\(name.flow)' waits"
            }
            passes[name]?[entry.flow] = count + 1
        }
        return nil
    }

    private mutating func passingOver(_ entry: Waiting) -> String? {
        guard let most = promises.mostPassesOver else { return nil }
        let isOverLower = waiting.values.contains { $0.priority < entry.priority }
        let isLowersTurn = waiting.values.contains { $0.priority > entry.priority }
        passesInARow = isOverLower && !isLowersTurn ? passesInARow + 1 : 0
        return passesInARow > most
            ? "\(passesInARow) requests of the highest priority went in a row while lower ones wait" : nil
    }

    private mutating func forget(_ entry: Waiting) {
        let name = FlowName(priority: entry.priority, flow: entry.flow)
        if !waiting.values.contains(where: { $0.priority == entry.priority && $0.flow == entry.flow }) {
            passes[name] = nil
            tokenCheck?.stopped(TokenCheck.Flow(priority: entry.priority, id: entry.flow))
        }
    }
}
