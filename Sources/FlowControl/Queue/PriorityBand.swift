import GatewayCore

/// The requests of one priority that wait, by flow.
struct PriorityBand {
    /// All requests of one fairness id.
    struct Flow {
        let id: String
        /// By constraint; nearly always one.
        var queues: [FlowQueue] = []
        /// How many of its requests wait.
        var count = 0
        /// How many of its requests were let go and have not ended.
        var running = 0
        /// Where it stands among the flows that wait; `nil` when none of its requests waits.
        var place: Int?
        /// When its last request left or ended.
        var idleSince = MonotonicInstant(nanoseconds: 0)

        /// The queue whose first request is first of all, without those whose constraint is `blocked`.
        func leadingQueue(without blocked: [ConstraintID]) -> Int? {
            var best: Int?
            for index in queues.indices where !blocked.contains(queues[index].constraint) {
                guard let node = queues[index].first else { continue }
                if let present = best, let other = queues[present].first, other < node { continue }
                best = index
            }
            return best
        }
    }

    /// The name of the flow of all those that a band does not tell apart.
    static let otherFlows = "other"
    /// How long a flow without requests is remembered.
    private static let idleLifetime = Duration.seconds(300)

    let priority: Int
    let settings: FlowControlSettings.Band
    /// By number; `nil` for a number that is free.
    private(set) var flows: [Flow?] = []
    private var numbers: [String: Int] = [:]
    private var freeNumbers: [Int] = []
    /// The flows that wait, with their first requests; in no order.
    private(set) var waiting: [WaitingFlow] = []
    private var fairness: any FairnessState
    private(set) var count = 0
    private(set) var bytes = 0
    private let maxFlows: Int

    init(priority: Int, settings: FlowControlSettings.Band, maxFlows: Int) {
        self.priority = priority
        self.settings = settings
        self.maxFlows = maxFlows
        fairness = settings.fairness.makeState()
    }

    /// Whether nothing of the band waits or runs.
    var isIdle: Bool { count == 0 && flows.allSatisfy { ($0?.running ?? 0) == 0 } }

    /// Whether one more request of `byteCount` bytes is over its limits.
    func isFull(for byteCount: Int) -> Bool {
        count >= settings.maxRequests || byteCount > settings.maxBytes - bytes
    }

    // MARK: - Flows

    /// The number of the flow called `id`, or of the flow that stands for it.
    mutating func flow(_ id: String) -> Int {
        if let number = numbers[id] { return number }
        // One place is left for the flow of the others.
        if numbers.count >= maxFlows - 1, id != Self.otherFlows { return flow(Self.otherFlows) }
        let number = freeNumbers.popLast() ?? flows.count
        if number == flows.count { flows.append(Flow(id: id)) } else { flows[number] = Flow(id: id) }
        numbers[id] = number
        fairness.add(flow: number, id: id)
        return number
    }

    /// The name of a flow.
    func name(of flow: Int) -> String { flows[flow]?.id ?? "" }

    /// Forgets flows that had no request for a while.
    ///
    /// - Returns: their names.
    mutating func forgetIdleFlows(at now: MonotonicInstant) -> [String] {
        var forgotten: [String] = []
        for number in flows.indices {
            guard let flow = flows[number], flow.count == 0, flow.running == 0,
                now.since(flow.idleSince) >= Self.idleLifetime
            else { continue }
            forgotten.append(flow.id)
            numbers[flow.id] = nil
            flows[number] = nil
            freeNumbers.append(number)
            fairness.remove(flow: number)
        }
        return forgotten
    }

    // MARK: - Requests

    mutating func insert(_ node: FlowQueue.Node, _ entry: WaitingTable.Entry) {
        count += 1
        bytes += entry.request.byteCount
        modify(entry.flow) { flow in
            flow.count += 1
            let index = flow.queues.firstIndex { $0.constraint == entry.constraint }
            if index == nil { flow.queues.append(FlowQueue(constraint: entry.constraint)) }
            flow.queues[index ?? flow.queues.count - 1].insert(node)
        }
        let wasWaiting = flows[entry.flow]?.place != nil
        refresh(entry.flow)
        if !wasWaiting {
            fairness.becameBacklogged(flow: entry.flow, among: waiting, now: entry.request.enqueuedAt)
        }
    }

    /// Takes out a request that does not wait any more by `table`.
    mutating func remove(_ entry: WaitingTable.Entry, notIn table: WaitingTable, at now: MonotonicInstant) {
        count -= 1
        bytes -= entry.request.byteCount
        modify(entry.flow) { flow in
            flow.count -= 1
            flow.idleSince = now
            guard let index = flow.queues.firstIndex(where: { $0.constraint == entry.constraint }) else { return }
            flow.queues[index].remove(notIn: table)
            // A queue that is empty keeps its memory for the next request, unless few requests have its constraint.
            if flow.queues[index].count == 0, entry.constraint != .none { flow.queues.remove(at: index) }
        }
        refresh(entry.flow)
    }

    /// Whose turn it is, of those whose constraint is not `blocked`.
    mutating func next(without blocked: [ConstraintID], at now: MonotonicInstant) -> (WaitingID, ConstraintID)? {
        let eligible = blocked.isEmpty ? waiting : waitingFlows(without: blocked)
        guard !eligible.isEmpty else { return nil }
        let chosen = fairness.next(among: eligible, now: now)
        // A policy may be foreign code: what it answers is checked instead of trusted.
        let flow = flows[eligible[eligible.indices.contains(chosen) ? chosen : 0].flow]
        guard let flow, let queue = flow.leadingQueue(without: blocked), let first = flow.queues[queue].first else {
            return nil
        }
        return (first.id, flow.queues[queue].constraint)
    }

    /// A request of `flow` was let go.
    ///
    /// - Returns: what the fairness policy charged for it.
    mutating func dispatched(_ flow: Int, uncachedTokens: Int, at now: MonotonicInstant) -> Double {
        modify(flow) { $0.running += 1 }
        return fairness.dispatched(flow: flow, uncachedTokens: uncachedTokens, now: now)
    }

    /// What its fairness policy remembers of programs; `nil` when it knows none.
    func programs(at now: MonotonicInstant) -> [ProgramFigures]? { fairness.programs(now: now) }

    /// A request of `flow` that was let go ended.
    mutating func ended(_ flow: Int, charged: Double, usage: TokenUsage?, at now: MonotonicInstant) {
        modify(flow) { flow in
            flow.running -= 1
            flow.idleSince = now
        }
        fairness.ended(flow: flow, charged: charged, usage: usage, now: now)
    }

    /// When the request came that waits longest among the flows' first ones; `nil` when none waits.
    var oldestHead: MonotonicInstant? { waiting.map(\.enqueuedAt).min() }

    // MARK: - The flows that wait

    private mutating func modify(_ number: Int, _ change: (inout Flow) -> Void) {
        guard var flow = flows[number].take() else { return }
        change(&flow)
        flows[number] = flow
    }

    /// Brings the flow's place among those that wait up to date.
    private mutating func refresh(_ number: Int) {
        guard let flow = flows[number] else { return }
        if let head = head(of: flow, number: number, without: []) {
            if let place = flow.place {
                waiting[place] = head
            } else {
                flows[number]?.place = waiting.count
                waiting.append(head)
            }
        } else if let place = flow.place {
            flows[number]?.place = nil
            let last = waiting.removeLast()
            guard last.flow != number else { return }
            waiting[place] = last
            flows[last.flow]?.place = place
        }
    }

    private func head(of flow: Flow, number: Int, without blocked: [ConstraintID]) -> WaitingFlow? {
        guard let queue = flow.leadingQueue(without: blocked), let node = flow.queues[queue].first else { return nil }
        return WaitingFlow(
            flow: number,
            rank: node.rank,
            enqueuedAt: node.enqueuedAt,
            uncachedTokens: node.uncachedTokens,
            count: flow.count
        )
    }

    private func waitingFlows(without blocked: [ConstraintID]) -> [WaitingFlow] {
        waiting.compactMap { waiting in
            flows[waiting.flow].flatMap { head(of: $0, number: waiting.flow, without: blocked) }
        }
    }
}
