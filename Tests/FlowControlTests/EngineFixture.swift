import GatewayCore
import Testing

@testable import FlowControl

/// An engine with policies that tests can see through, and a pool with a number of free places.
struct EngineFixture {
    var engine: FlowEngine
    /// Free places by constraint; a constraint that is not here has as many as the pool.
    var places = [RequestConstraint.none: 0]
    var isPoolEmpty = false
    var now = MonotonicInstant(nanoseconds: 1_000_000_000)
    private(set) var names: [WaitingID: String] = [:]

    init(_ change: (inout FlowControlSettings) -> Void = { _ in }, usageLimit: any UsageLimitPolicy = FixedCeilings()) {
        let band = FlowControlSettings.Band(fairness: FirstComeFairness(), ordering: ArrivalOrder())
        var settings = FlowControlSettings(template: band, usageLimit: usageLimit)
        change(&settings)
        engine = FlowEngine(settings: settings)
        engine.setPriorities([-1, 10])
    }

    /// A request comes.
    @discardableResult
    mutating func come(
        _ name: String,
        priority: Int = 0,
        flow: String = "a",
        bytes: Int = 10,
        constraint: RequestConstraint = .none
    ) -> FlowEngine.Arrival {
        let request = QueuedRequest(
            request: InferenceRequest(id: name, model: "m", priority: priority, fairnessID: flow),
            byteCount: bytes,
            enqueuedAt: now,
            deadline: nil,
            uncachedTokens: 100
        )
        let isEmpty = isPoolEmpty
        let arrival = engine.enqueue(request, constraint: constraint, at: now) {
            PoolRoom(isEmpty: isEmpty, saturation: 1)
        }
        if case .waits(let id) = arrival { names[id] = name }
        return arrival
    }

    /// What the engine does now, until there is nothing: names, with the outcome of those that do not go on.
    mutating func run() -> [String] {
        var done: [String] = []
        var left = places
        let isPoolEmpty = isPoolEmpty
        while let action = engine.next(
            at: now,
            room: { constraint, _ in
                PoolRoom(isEmpty: isPoolEmpty, saturation: (left[constraint] ?? left[.none] ?? 0) > 0 ? 0.5 : 1)
            }
        ) {
            switch action {
            case .end(let id, .dispatched):
                done.append(names[id] ?? "?")
                for key in left.keys { left[key, default: 0] -= 1 }
                _ = engine.settled(id)
            case .end(let id, let outcome): done.append("\(names[id] ?? "?") \(outcome.rawValue)")
            case .evict(let id): done.append("evict \(id.number)")
            }
        }
        places = left.mapValues { max(0, $0) }
        return done
    }

    /// The pool has so many free places.
    mutating func free(_ count: Int) -> [String] {
        places[.none] = count
        return run()
    }

    mutating func wait(_ duration: Duration) {
        now = now.advanced(by: duration)
    }
}

/// Orders by arrival.
struct ArrivalOrder: OrderingPolicy {
    static let descriptor = PluginDescriptor(type: "arrival-order", summary: "")

    init() {}
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func rank(of request: QueuedRequest) -> OrderingRank { OrderingRank(request.enqueuedAt.nanoseconds) }
}

/// Takes the flow whose request came first.
struct FirstComeFairness: FairnessPolicy {
    static let descriptor = PluginDescriptor(type: "first-come", summary: "")

    init() {}
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func makeState() -> any FairnessState { State() }

    private struct State: FairnessState {
        mutating func add(flow: Int, id: String) {}
        mutating func remove(flow: Int) {}
        mutating func next(among waiting: [WaitingFlow], now: MonotonicInstant) -> Int {
            waiting.indices.min { (waiting[$0].rank, waiting[$0].flow) < (waiting[$1].rank, waiting[$1].flow) } ?? 0
        }
    }
}

/// The same ceiling for all, or one for each priority.
struct FixedCeilings: UsageLimitPolicy {
    static let descriptor = PluginDescriptor(type: "fixed-ceilings", summary: "")

    var byPriority: [Int: Double] = [:]

    init(_ byPriority: [Int: Double] = [:]) { self.byPriority = byPriority }
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    var uniformCeiling: Double? { byPriority.isEmpty ? 1 : nil }

    func ceilings(at saturation: Double, priorities: [Int], cycle: UInt64) -> [Double] {
        priorities.map { byPriority[$0] ?? 1 }
    }
}
