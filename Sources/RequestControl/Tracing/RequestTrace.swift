import GatewayCore
import Scheduling
import Telemetry

/// One request's place in a distributed trace, and what happened to it while the trace is recorded.
///
/// Made only where there is a ``Tracer``. Nothing becomes a span before the request has ended: until then a recorded
/// request keeps the records that explanations keep too. Not `Sendable`: it belongs to its exchange.
final class RequestTrace {
    /// One decision, from the choice of candidates to the header of the request that goes out.
    struct Decision {
        /// What the scheduler did.
        let record: DecisionRecord
        /// What it decided; `nil` when the request was refused.
        var decision: SchedulingDecision?
        /// When everything was ready to be sent.
        var preparedAt: MonotonicInstant?
    }

    /// One attempt that the gateway itself sends out.
    struct Attempt {
        /// The attempt's own span, of which the endpoint's is a part.
        let context: TraceContext
        /// The endpoint.
        let endpoint: EndpointSnapshot
        /// Its address.
        let address: EndpointAddress
        /// When it was decided.
        let begunAt: MonotonicInstant
        /// When it failed; `nil` while it has not.
        var failedAt: MonotonicInstant?
        /// How it failed.
        var failure: AttemptFailure?
    }

    private static let parentName = "\(TraceContext.headerName)"
    private static let stateName = "\(TraceContext.stateHeaderName)"

    /// The span of the whole request.
    let context: TraceContext
    /// What the request says of its place in a trace; `nil` when it begins one.
    let parent: TraceContext?
    /// Whether the request's own header says that place.
    private let hasOwnParent: Bool
    /// The longest `tracestate` that spans keep: as much as everybody who takes part in a trace has to pass on.
    private static let stateBytesMax = 512

    /// The request's `tracestate`; empty for none, for a longer one than ``stateBytesMax``, and when the trace is not
    /// recorded. The request keeps its own whatever this is.
    let traceState: String
    /// When the way of the request through the gateway began.
    let begunAt: MonotonicInstant
    /// Where the ids of further spans come from. Not the request's own source: a request goes the same way whether it
    /// is recorded or not.
    var ids: RandomSource
    /// When the request came to the queue; `nil` where requests do not wait.
    private(set) var queuedAt: MonotonicInstant?
    /// The decisions, in order.
    private(set) var decisions: [Decision] = []
    /// The attempts, in order; none where a proxy sends the request.
    private(set) var attempts: [Attempt] = []
    private let tracer: Tracer

    /// Takes part in a trace, or begins one.
    ///
    /// - Parameters:
    ///   - tracer: decides whether the trace is recorded.
    ///   - request: the request, whose header says its place in a trace.
    ///   - proxyTraceParent: the place that the proxy tells for a request whose header says none.
    ///   - random: the request's source of random numbers, before anything was drawn from it.
    ///   - now: the present instant.
    init(
        _ tracer: Tracer,
        request: IncomingRequest,
        proxyTraceParent: String?,
        random: RandomSource,
        now: MonotonicInstant
    ) {
        self.tracer = tracer
        var random = random
        ids = RandomSource(seed: ~random.next())
        let own = request.traceParent
        hasOwnParent = own != nil
        parent = own ?? proxyTraceParent.flatMap { TraceContext($0) }
        context = tracer.begin(under: parent, using: &ids)
        let state =
            context.isSampled && hasOwnParent
            ? request.headers.all(TraceContext.stateHeaderName).joined(separator: ",") : ""
        // Each span keeps it, and every one of the queue: a client must not choose how much that is.
        traceState = state.utf8.count > Self.stateBytesMax ? "" : state
        begunAt = now
    }

    /// Whether the trace is recorded.
    var isRecording: Bool { context.isSampled }

    // MARK: - What happens to the request. Nothing of it is kept unless the trace is recorded.

    /// The request came to the queue.
    func queued(at now: MonotonicInstant) {
        if isRecording { queuedAt = now }
    }

    /// The scheduler has decided, or refused.
    func decided(_ record: DecisionRecord) {
        if isRecording { decisions.append(Decision(record: record)) }
    }

    /// The request is ready to be sent to an endpoint.
    ///
    /// - Parameter isSentByGateway: whether the gateway sends it, so that the attempt is a span of its own.
    /// - Returns: what changes in the request's header; `nil` when it stays as it is.
    func ready(
        for decision: SchedulingDecision,
        at now: MonotonicInstant,
        isSentByGateway: Bool
    ) -> HeaderMutation? {
        // Nobody records the trace and everybody on the way knows: it goes on as it came.
        if !isRecording, let parent, !parent.isSampled { return nil }
        guard isRecording else { return header(context) }
        if !decisions.isEmpty {
            decisions[decisions.count - 1].decision = decision
            decisions[decisions.count - 1].preparedAt = now
        }
        guard isSentByGateway else { return header(context) }
        let attempt = Attempt(
            context: context.child(using: &ids),
            endpoint: decision.endpoint,
            address: decision.destinations[0],
            begunAt: now
        )
        attempts.append(attempt)
        return header(attempt.context)
    }

    /// The attempt with this number failed before anything of it was relayed.
    func attemptFailed(_ number: Int, _ failure: AttemptFailure, at now: MonotonicInstant) {
        guard attempts.indices.contains(number) else { return }
        attempts[number].failure = failure
        attempts[number].failedAt = now
    }

    /// The request is over; only for a trace that is recorded.
    func ended(_ ending: RequestSpans.Ending) {
        // One reading of the wall clock holds for all spans: they must fit each other.
        let offset = tracer.unixNanoseconds() &- ending.summary.endedAt.nanoseconds
        var spans = RequestSpans(of: self, ending, offset: offset)
        tracer.buffer.append(spans.build())
    }

    private func header(_ context: TraceContext) -> HeaderMutation {
        let field = HeaderMutation.Field(name: Self.parentName, value: context.headerValue)
        // What systems on the way added to a trace means nothing in another one.
        return HeaderMutation(set: [field], remove: hasOwnParent ? [] : [Self.stateName])
    }
}

extension IncomingRequest {
    /// The place in a trace that the header tells; `nil` when it tells none, or more than one.
    var traceParent: TraceContext? {
        let values = headers.all(TraceContext.headerName)
        guard values.count == 1 else { return nil }
        return TraceContext(values[0])
    }
}
