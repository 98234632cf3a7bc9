/// How far apart a policy lets the tokens of flows get.
package enum TokenPromise: Sendable, Hashable {
    /// By `virtual-token-counter-fairness-policy`, for answers of at most `mostOutput` tokens: whoever goes has been
    /// charged no more than any other flow that waits. So between a turn of one flow and a later turn of another one,
    /// both waiting throughout, the second was not charged more than the first, before its turn is charged. (After it,
    /// by at most the largest request: Sheng et al., "Fairness in Serving Large Language Models", 2024.)
    case leastFirst(mostOutput: Int)
    /// By `deficit-round-robin-fairness-policy`. Each flow gets its quantum per turn, turns of two flows that both wait
    /// differ by at most one, and what a flow has left in its turn is at most a quantum and the largest request
    /// (Shreedhar and Varghese, "Efficient Fair Queueing using Deficit Round Robin", 1995): so their charges
    /// differ by at most three quanta and twice the largest request. What is in flight may still be corrected, each by
    /// its whole cost at most.
    case rounds(quantum: Double, mostOutput: Int)

    /// The most tokens of an answer.
    var mostOutput: Int {
        switch self {
        case .leastFirst(let most), .rounds(_, let most): most
        }
    }
}

/// Follows what the flows of each priority were charged, in tokens: one for a prompt token, two for a generated one.
///
/// A charge at dispatch has an expectation of the answer in it that only the policy knows, so each is a range; the
/// range closes when the request ends. What is compared are sums of ranges, each rounded in favour of the policy.
struct TokenCheck {
    /// A flow.
    struct Flow: Hashable {
        let priority: Int
        let id: String
    }

    private struct Pair: Hashable {
        let ahead: Flow
        let behind: Flow
    }

    /// What the one flow was charged at least beyond what the other was at most.
    private struct Excess {
        /// Requests that were let go before have a lower number.
        let since: Int
        var tokens = 0.0
    }

    private struct Charge {
        let flow: Flow
        let number: Int
        let range: ClosedRange<Double>
    }

    /// What the end of a request changes.
    private struct Correction {
        let charge: Charge
        /// What the request cost.
        let range: ClosedRange<Double>
        /// How many requests had been let go.
        let since: Int

        /// What it adds to the excess of a pair. Where the charge was counted, the cost takes its place; elsewhere the
        /// difference counts.
        func change(of excess: Excess, for pair: Pair) -> Double {
            let isCounted = charge.number > excess.since
            let (least, most) = (charge.range.lowerBound, charge.range.upperBound)
            if pair.ahead == charge.flow { return range.lowerBound - (isCounted ? least : most) }
            if pair.behind == charge.flow { return (isCounted ? most : least) - range.upperBound }
            return 0
        }
    }

    private static let outputWeight = 2.0
    /// Estimates of prompts are rounded.
    private static let slack = 4.0

    private let promise: TokenPromise
    private var waiting: Set<Flow> = []
    private var excesses: [Pair: Excess] = [:]
    private var charges: [Int: Charge] = [:]
    private var corrections: [Int: Correction] = [:]
    private var dispatches = 0
    private var largest = 0.0
    private var running: [Flow: Int] = [:]
    /// The most requests of each flow that ran at once.
    private var mostRunning: [Flow: Int] = [:]

    init(promise: TokenPromise) {
        self.promise = promise
    }

    /// A flow that had no waiting request has one now.
    mutating func began(_ flow: Flow) {
        if case .rounds = promise {
            for other in waiting where other.priority == flow.priority {
                excesses[Pair(ahead: flow, behind: other)] = Excess(since: dispatches)
                excesses[Pair(ahead: other, behind: flow)] = Excess(since: dispatches)
            }
        }
        waiting.insert(flow)
    }

    /// A flow has no waiting request any more.
    mutating func stopped(_ flow: Flow) {
        waiting.remove(flow)
        excesses = excesses.filter { $0.key.ahead != flow && $0.key.behind != flow }
    }

    /// A request of `flow`, which still counts as waiting, was let go.
    ///
    /// - Parameter tokens: the tokens of its prompt that are charged.
    /// - Returns: what that breaks; `nil` when it fits.
    mutating func dispatched(_ request: Int, of flow: Flow, tokens: ClosedRange<Double>) -> String? {
        let most = tokens.upperBound + Self.outputWeight * Double(promise.mostOutput) + Self.slack
        let range = max(0, tokens.lowerBound - Self.slack)...most
        var broken: String?
        if case .leastFirst = promise { broken = fault(of: flow, bound: 1) }
        dispatches += 1
        largest = max(largest, most)
        charges[request] = Charge(flow: flow, number: dispatches, range: range)
        running[flow, default: 0] += 1
        mostRunning[flow] = max(mostRunning[flow] ?? 0, running[flow] ?? 0)
        add(range, to: flow)
        switch promise {
        case .leastFirst:
            for other in waiting where other != flow && other.priority == flow.priority {
                excesses[Pair(ahead: other, behind: flow)] = Excess(since: dispatches - 1, tokens: -most)
            }
        case .rounds(let quantum, _): broken = fault(of: flow, bound: 3 * quantum + 2 * largest)
        }
        return broken
    }

    /// A request that was let go is about to end: who goes now may go before or after its charge is corrected.
    ///
    /// - Parameter cost: what it cost; `nil` when that is not known.
    mutating func ends(_ request: Int, cost: Double?) {
        guard let charge = charges.removeValue(forKey: request) else { return }
        running[charge.flow, default: 0] -= 1
        // One that ends without a usage keeps its charge, or gives all of it back.
        let correction = Correction(
            charge: charge,
            range: (cost ?? 0)...(cost ?? charge.range.upperBound),
            since: dispatches
        )
        corrections[request] = correction
        for pair in excesses.keys {
            guard let excess = excesses[pair] else { continue }
            excesses[pair]?.tokens += min(0, correction.change(of: excess, for: pair))
        }
    }

    /// The request has ended.
    mutating func ended(_ request: Int) {
        guard let correction = corrections.removeValue(forKey: request) else { return }
        for pair in excesses.keys {
            guard let excess = excesses[pair] else { continue }
            let change = correction.change(of: excess, for: pair)
            // Whether it came before or behind what began meanwhile is not known.
            excesses[pair]?.tokens += excess.since < correction.since ? max(0, change) : min(0, change)
        }
    }

    private mutating func add(_ range: ClosedRange<Double>, to flow: Flow) {
        for pair in excesses.keys {
            if pair.ahead == flow {
                excesses[pair]?.tokens += range.lowerBound
            } else if pair.behind == flow {
                excesses[pair]?.tokens -= range.upperBound
            }
        }
    }

    private func fault(of flow: Flow, bound: Double) -> String? {
        var worst: (pair: Pair, excess: Double, bound: Double)?
        for (pair, excess) in excesses where pair.ahead == flow {
            var bound = bound
            if case .rounds = promise {
                bound += Double((mostRunning[flow] ?? 0) + (mostRunning[pair.behind] ?? 0)) * largest
            }
            guard excess.tokens > bound else { continue }
            if let known = worst, (known.excess, known.pair.behind.id) >= (excess.tokens, pair.behind.id) { continue }
            worst = (pair, excess.tokens, bound)
        }
        return worst.map {
            "the flow '\(flow.id)' was charged \(Int($0.excess)) tokens more than '\($0.pair.behind.id)', which waits; "
                + "\(Int($0.bound)) are allowed"
        }
    }
}
