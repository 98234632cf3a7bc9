/// Says how full a pool is, so that requests of little importance wait, or are refused, before those of others suffer.
///
/// A configuration refers to it in `flowControl.saturationDetector`.
public protocol SaturationDetector: Plugin {
    /// How full `candidates` are together: 0 when they are idle, 1 and above when they are saturated.
    ///
    /// Not clamped: a pool with twice the work that it should have is at 2. Never negative, never NaN. No endpoint at
    /// all is 1. Called on the path of requests with a negative priority: it must not block.
    ///
    /// - Parameters:
    ///   - candidates: the endpoints that the request may go to.
    ///   - now: the instant of the decision.
    func saturation(of candidates: Candidates, now: MonotonicInstant) -> Double

    /// How full one endpoint is: 0 when it is idle, 1 and above when it should get nothing more; `nil` when nothing is
    /// known of it. Flow control asks for each endpoint by itself, so that one that is full neither hides behind idle
    /// ones nor keeps them from work.
    ///
    /// Never negative, never NaN. Called for each request that waits or would: it must not block. By default the
    /// saturation of the endpoint alone, which knows nothing of what is on its way.
    ///
    /// - Parameters:
    ///   - endpoint: the endpoint.
    ///   - pending: what was let go and has not reached it yet; counts as if it were there.
    ///   - now: the instant of the decision.
    func fullness(of endpoint: EndpointSnapshot, adding pending: PendingLoad, now: MonotonicInstant) -> Double?

    /// How old an endpoint's metrics may be before the detector does without them; `nil`, the default, when it does not
    /// read metrics. Metrics that come less often than this are of little use to it.
    var metricsLifetime: Duration? { get }
}

extension SaturationDetector {
    /// No metrics are read.
    public var metricsLifetime: Duration? { nil }

    /// The saturation of the endpoint alone.
    public func fullness(of endpoint: EndpointSnapshot, adding pending: PendingLoad, now: MonotonicInstant) -> Double? {
        saturation(of: Candidates([endpoint]), now: now)
    }
}

/// Work that was let go and has not reached an endpoint yet: an endpoint's share of it, so no whole numbers.
public struct PendingLoad: Hashable, Sendable {
    /// Nothing.
    public static let none = PendingLoad(requests: 0, tokens: 0)

    /// Requests, 0 or more.
    public let requests: Double
    /// Their prompt tokens, 0 or more.
    public let tokens: Double

    /// Makes a load; both are 0 or more.
    public init(requests: Double, tokens: Double) {
        self.requests = requests
        self.tokens = tokens
    }
}

/// A request that waits for its turn, as the policies of flow control see it.
public struct QueuedRequest: Sendable {
    /// The request.
    public let request: InferenceRequest
    /// The size of its body in bytes.
    public let byteCount: Int
    /// When it began to wait.
    public let enqueuedAt: MonotonicInstant
    /// When its time to wait is over, as long as the pool has endpoints; `nil` when it may wait for ever.
    public let deadline: MonotonicInstant?
    /// The prompt tokens that have to be computed for it, 0 or more: those that no endpoint is believed to hold. All of
    /// the prompt's unless a policy asked for more; see ``OrderingPolicy/readsUncachedTokens``.
    public let uncachedTokens: Int

    /// Makes a request that waits; see the properties.
    public init(
        request: InferenceRequest,
        byteCount: Int,
        enqueuedAt: MonotonicInstant,
        deadline: MonotonicInstant?,
        uncachedTokens: Int
    ) {
        self.request = request
        self.byteCount = byteCount
        self.enqueuedAt = enqueuedAt
        self.deadline = deadline
        self.uncachedTokens = uncachedTokens
    }
}

/// A request's place in the order of its flow: smaller goes first. Equal ranks go in the order in which they came.
public struct OrderingRank: Comparable, Hashable, Sendable {
    /// Behind every other.
    public static let last = OrderingRank(.max, .max)

    /// What counts first.
    public let first: Int64
    /// What counts among equal ``first``.
    public let second: Int64

    /// Makes a rank.
    public init(_ first: Int64, _ second: Int64 = 0) {
        self.first = first
        self.second = second
    }

    public static func < (left: OrderingRank, right: OrderingRank) -> Bool {
        left.first != right.first ? left.first < right.first : left.second < right.second
    }
}

/// Orders the requests of one flow.
///
/// A band of `flowControl` refers to it as `orderingPolicyRef`.
public protocol OrderingPolicy: Plugin {
    /// The request's place. Asked once, when it begins to wait: what changes the order with time has to be in the rank,
    /// as an instant is.
    func rank(of request: QueuedRequest) -> OrderingRank

    /// Whether ``rank(of:)`` reads ``QueuedRequest/uncachedTokens`` and needs them without what endpoints hold, which
    /// costs a look into the prefix cache's index for each request. The default is `false`.
    var readsUncachedTokens: Bool { get }
}

extension OrderingPolicy {
    /// The estimate of the whole prompt is enough.
    public var readsUncachedTokens: Bool { false }
}

/// A flow whose requests wait, as a fairness policy sees it: all requests of one fairness id in one priority.
public struct WaitingFlow: Sendable {
    /// A small number that is the flow's own while it is known, from 0; used again after it was forgotten.
    public let flow: Int
    /// The rank of its first request.
    public let rank: OrderingRank
    /// When its first request began to wait.
    public let enqueuedAt: MonotonicInstant
    /// The prompt tokens that have to be computed for its first request.
    public let uncachedTokens: Int
    /// How many of its requests wait, at least 1.
    public let count: Int

    /// Makes a flow; see the properties.
    public init(
        flow: Int,
        rank: OrderingRank,
        enqueuedAt: MonotonicInstant,
        uncachedTokens: Int,
        count: Int
    ) {
        self.flow = flow
        self.rank = rank
        self.enqueuedAt = enqueuedAt
        self.uncachedTokens = uncachedTokens
        self.count = count
    }
}

/// Chooses whose turn it is among the flows of one priority.
///
/// A band of `flowControl` refers to it as `fairnessPolicyRef`. The plugin itself keeps nothing of flows: each band has
/// a ``FairnessState`` of its own.
public protocol FairnessPolicy: Plugin {
    /// A state that knows no flow.
    func makeState() -> any FairnessState
}

/// What a fairness policy remembers of the flows of one band. Belongs to the band's queue: calls never overlap.
public protocol FairnessState: Sendable {
    /// A flow is known from now on. Its number is not in use.
    mutating func add(flow: Int, id: String)

    /// A flow is forgotten: it had no request for a while, and none runs. Its number may be given to another one.
    mutating func remove(flow: Int)

    /// A flow that had no waiting request has one now. The default does nothing.
    mutating func becameBacklogged(flow: Int, among waiting: [WaitingFlow], now: MonotonicInstant)

    /// The index in `waiting`, which is never empty, of the flow whose first request goes next.
    ///
    /// The flow's request need not go at once: it may be that no endpoint that it may go to has room, and then this is
    /// called again without it. What was chosen counts when ``dispatched(flow:uncachedTokens:now:)`` says so.
    mutating func next(among waiting: [WaitingFlow], now: MonotonicInstant) -> Int

    /// The first request of the flow was let go.
    ///
    /// - Returns: what it was charged, for ``ended(flow:charged:usage:now:)`` to correct; in units of the policy.
    mutating func dispatched(flow: Int, uncachedTokens: Int, now: MonotonicInstant) -> Double

    /// A request of the flow ended. A flow is not forgotten while its requests run.
    ///
    /// - Parameters:
    ///   - flow: the flow.
    ///   - charged: what ``dispatched(flow:uncachedTokens:now:)`` returned for the request.
    ///   - usage: what the response said that it took, all zero for a request that no endpoint got; `nil` when it did
    ///     not say.
    ///   - now: the present.
    mutating func ended(flow: Int, charged: Double, usage: TokenUsage?, now: MonotonicInstant)

    /// What is remembered of each program, for metrics; `nil`, the default, when the policy knows no programs. Asked
    /// for whenever somebody reads the metrics.
    func programs(now: MonotonicInstant) -> [ProgramFigures]?
}

/// What a fairness policy knows of one program.
public struct ProgramFigures: Hashable, Sendable {
    /// The program.
    public let id: String
    /// The tokens of work that count for it now, 0 or more.
    public let attainedService: Double
    /// How long those of its requests that were let go had waited, all together.
    public let waited: Duration
    /// How many requests those are.
    public let dispatched: Int

    /// Makes figures; see the properties.
    public init(id: String, attainedService: Double, waited: Duration, dispatched: Int) {
        self.id = id
        self.attainedService = attainedService
        self.waited = waited
        self.dispatched = dispatched
    }
}

extension FairnessState {
    /// It knows no programs.
    public func programs(now: MonotonicInstant) -> [ProgramFigures]? { nil }

    /// Does nothing.
    public mutating func becameBacklogged(flow: Int, among waiting: [WaitingFlow], now: MonotonicInstant) {}

    /// Charges nothing.
    public mutating func dispatched(flow: Int, uncachedTokens: Int, now: MonotonicInstant) -> Double { 0 }

    /// Does nothing.
    public mutating func ended(flow: Int, charged: Double, usage: TokenUsage?, now: MonotonicInstant) {}
}

/// Says up to which saturation each priority may use the pool.
///
/// `flowControl` refers to it as `usageLimitPolicyPluginRef`.
public protocol UsageLimitPolicy: Plugin {
    /// The saturation from which on the requests of a priority wait, for each of `priorities`, in their order; 0 or
    /// more. At 1 and above every endpoint is full.
    ///
    /// - Parameters:
    ///   - saturation: the pool's, 0 ... 1.
    ///   - priorities: all that are known, highest first; never empty.
    ///   - cycle: counts the looks at the queues, whichever the priority.
    func ceilings(at saturation: Double, priorities: [Int], cycle: UInt64) -> [Double]

    /// The ceiling of every priority at all times, which saves asking; `nil`, the default, when they differ.
    var uniformCeiling: Double? { get }
}

extension UsageLimitPolicy {
    /// The ceilings differ.
    public var uniformCeiling: Double? { nil }
}

/// A request that runs on an endpoint and may be ended for a more important one.
public struct RunningRequest: Hashable, Sendable {
    /// The request's priority.
    public let priority: Int
    /// The flow that it belongs to.
    public let fairnessID: String
    /// When it was sent to its endpoint.
    public let dispatchedAt: MonotonicInstant

    /// Makes a running request; see the properties.
    public init(priority: Int, fairnessID: String, dispatchedAt: MonotonicInstant) {
        self.priority = priority
        self.fairnessID = fairnessID
        self.dispatchedAt = dispatchedAt
    }
}

/// Says which of the requests that run may be ended for more important ones, or in which order.
///
/// `flowControl.enableEviction` turns it on; no reference names it: those that the configuration declares count, and
/// where it declares none, `sheddable-eviction-filter` and `priority-then-time-eviction-order-policy`.
public protocol EvictionPolicy: Plugin {
    /// Whether `request` may be ended. All policies have to agree. The default is `true`.
    func mayEvict(_ request: RunningRequest) -> Bool

    /// Whether `left` is to be ended before `right`; `nil`, the default, when the policy does not care, and the next
    /// one is asked.
    func evicts(_ left: RunningRequest, before right: RunningRequest) -> Bool?
}

extension EvictionPolicy {
    /// Whoever runs.
    public func mayEvict(_ request: RunningRequest) -> Bool { true }

    /// Does not care.
    public func evicts(_ left: RunningRequest, before right: RunningRequest) -> Bool? { nil }
}

/// How a request fared on its endpoint, for what learns from it.
public struct ServedRequest: Sendable {
    /// The endpoint that served it, as it was when the request was sent.
    public let endpoint: EndpointSnapshot
    /// How many requests were open on the endpoint when this one was sent, itself included.
    public let openRequests: Int
    /// The prompt tokens that had to be computed for it, 0 or more.
    public let uncachedTokens: Int
    /// When it was sent.
    public let sentAt: MonotonicInstant
    /// When the first byte of its response's body came.
    public let firstByteAt: MonotonicInstant
    /// When its response was whole.
    public let endedAt: MonotonicInstant

    /// Makes a served request; see the properties.
    public init(
        endpoint: EndpointSnapshot,
        openRequests: Int,
        uncachedTokens: Int,
        sentAt: MonotonicInstant,
        firstByteAt: MonotonicInstant,
        endedAt: MonotonicInstant
    ) {
        self.endpoint = endpoint
        self.openRequests = openRequests
        self.uncachedTokens = uncachedTokens
        self.sentAt = sentAt
        self.firstByteAt = firstByteAt
        self.endedAt = endedAt
    }
}

/// Learns how long endpoints take. Called synchronously on the response's path: it must not block.
public protocol ServiceObserver: Plugin {
    /// A request was answered whole.
    func served(_ request: ServedRequest)
}
