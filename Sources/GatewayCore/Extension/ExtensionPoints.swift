/// Removes endpoints that must not serve a request.
public protocol Filter: Plugin {
    /// Narrows `candidates`. Runs in configuration order; an empty result ends the profile.
    func filter(_ candidates: inout Candidates, context: inout SchedulingContext)

    /// By what rule it decides, for explanations, such as `waiting-queue <= 5`. Asked only when a decision is recorded
    /// and somebody was removed. The default is the plugin's summary.
    func rule(in context: SchedulingContext) -> String
}

extension Filter {
    /// The plugin's summary.
    public func rule(in context: SchedulingContext) -> String { Self.descriptor.summary }
}

/// Says how well each candidate would serve a request.
public protocol Scorer: Plugin {
    /// Writes one score per candidate, 0 (worst) to 1 (best), into `scores`, which has one place per candidate in the
    /// same order and starts with zeros. Values outside the range are clamped; NaN counts as 0.
    ///
    /// One call per request: no call per endpoint, no dictionary.
    func score(_ candidates: Candidates, context: SchedulingContext, into scores: inout MutableSpan<Double>)
}

/// Chooses among scored candidates.
public protocol Picker: Plugin {
    /// The indexes of the chosen candidates, best first; at least one, and none twice.
    ///
    /// - Parameters:
    ///   - candidates: never empty.
    ///   - scores: one weighted sum per candidate.
    ///   - context: of the request.
    func pick(_ candidates: Candidates, scores: Span<Double>, context: inout SchedulingContext) -> [Int]
}

/// Decides which profiles run for a request and which result serves it.
public protocol ProfileHandler: Plugin {
    /// The indexes of the profiles to run next; empty when no more are needed. Called again after each round.
    ///
    /// - Parameters:
    ///   - profiles: all profile names in configuration order.
    ///   - progress: how far each profile got, by profile index. A profile that is not `notRun` must not be asked for
    ///     again: the scheduler answers that with an internal error.
    ///   - context: the request; what is written into its scratch is seen by the profiles that run next.
    func nextProfiles(_ profiles: [String], progress: [ProfileProgress], context: inout SchedulingContext) -> [Int]

    /// The decision, when no more profiles run; also when none ran, or none found an endpoint.
    ///
    /// - Throws: ``Rejection`` when the results cannot serve the request, usually `saturated`.
    func decide(
        _ profiles: [String],
        progress: [ProfileProgress],
        context: inout SchedulingContext
    ) throws(Rejection) -> SchedulingDecision

    /// What the handler finds wrong with the profiles of its pipeline. Asked once, when the pipeline is built. The
    /// default finds nothing.
    func objections(to profiles: [String]) -> [ProfileObjection]
}

extension ProfileHandler {
    /// Finds nothing wrong.
    public func objections(to profiles: [String]) -> [ProfileObjection] { [] }
}

/// Something that a profile handler finds wrong with the profiles of its pipeline: a sentence without a full stop.
public enum ProfileObjection: Hashable, Sendable {
    /// The handler cannot work with them: the pipeline is not built.
    case error(String)
    /// Something has no effect or looks like a mistake.
    case warning(String)
}

/// Removes endpoints before anything is computed about them, whichever profiles run.
public protocol Screener: Plugin {
    /// Narrows `candidates`. Runs before the producers, in configuration order; an empty result refuses the request.
    func screen(_ candidates: inout Candidates, context: inout SchedulingContext)

    /// By what rule it decides, for explanations; see ``Filter/rule(in:)``.
    func rule(in context: SchedulingContext) -> String
}

extension Screener {
    /// The plugin's summary.
    public func rule(in context: SchedulingContext) -> String { Self.descriptor.summary }
}

/// Refuses requests that should not be scheduled now.
public protocol Admitter: Plugin {
    /// Returns when the request may be scheduled. Runs behind the producers and before the profiles, in configuration
    /// order. `candidates` is never empty.
    ///
    /// - Throws: ``Rejection``, usually `saturated`.
    func admit(_ candidates: Candidates, context: inout SchedulingContext) throws(Rejection)
}

/// Says for whom a request is, from its header, before it is scheduled.
public protocol AgentIdentifier: Plugin {
    /// The agent, which fairness is kept for when the request names no fairness id; `nil` when the header does not say.
    func agent(in headers: HeaderMap) -> String?
}

/// Computes data about a request that filters and scorers read.
public protocol DataProducer: Plugin {
    /// Writes the request's data into `context.scratch`. Runs before the profiles, after the producers it depends on.
    func produce(for candidates: Candidates, context: inout SchedulingContext)
}

/// A producer that knows which endpoints hold a request's prompt, or the start of it, in their prefix cache.
public protocol PrefixCacheProducer: DataProducer {
    /// Whether `endpoint` is believed to hold at least the first block of the prompt, by the data that this producer
    /// wrote for the request.
    func holdsPrefix(of context: SchedulingContext, on endpoint: EndpointSnapshot) -> Bool

    /// How many of the prompt's tokens `endpoint` is believed to hold, 0 or more, by the same data. The default is 0.
    func cachedTokens(of context: SchedulingContext, on endpoint: EndpointSnapshot) -> Int

    /// How many of the prompt's tokens were looked up, 0 or more, by the same data: what ``cachedTokens(of:on:)`` is a
    /// share of, for metrics. The default is 0, of which nothing is counted.
    func lookedUpTokens(of context: SchedulingContext) -> Int

    /// How many blocks the producer remembers, of all endpoints together; `nil`, the default, when it does not tell.
    /// Asked for whenever somebody reads the metrics.
    var rememberedBlocks: Int? { get }
}

extension PrefixCacheProducer {
    /// None.
    public func cachedTokens(of context: SchedulingContext, on endpoint: EndpointSnapshot) -> Int { 0 }
    /// None.
    public func lookedUpTokens(of context: SchedulingContext) -> Int { 0 }
    /// It does not tell.
    public var rememberedBlocks: Int? { nil }
}

/// A producer that knows which endpoints hold a request's media in the cache of their encoder.
public protocol MediaCacheProducer: DataProducer {
    /// What was looked up for the request, and whether `endpoint` is believed to hold it, each medium once; empty for a
    /// request without media. Called before the request is sent there.
    func lookUps(of context: SchedulingContext, on endpoint: EndpointSnapshot) -> [MediaLookUp]
}

/// The look-up of one medium of a request.
public struct MediaLookUp: Hashable, Sendable {
    /// What it is: `image`, `video` or `audio`.
    public let modality: String
    /// Whether the endpoint is believed to hold it.
    public let isHeld: Bool

    /// Notes a look-up.
    public init(modality: String, isHeld: Bool) {
        self.modality = modality
        self.isHeld = isHeld
    }
}

/// Learns of a decision just before the request is sent.
public protocol PreRequest: Plugin {
    /// Called once per attempt: for a retry again, with the endpoint of that attempt. May add to the context's
    /// ``SchedulingContext/requestHeaders``.
    func willSend(_ decision: SchedulingDecision, context: inout SchedulingContext)
}

/// Adds fields to a response's header.
public protocol ResponseHeaderProcessor: Plugin {
    /// The fields to set. Called once per response, before any of it goes to the client.
    func responseFields(of response: ServedResponse) -> [HeaderMutation.Field]
}

/// Turns the token usage of a response into metadata for the proxy in front.
public protocol ResponseReporter: Plugin {
    /// The numbers to report. Called at most once per response, at its end; a gateway without a proxy in front does not
    /// call it.
    func report(_ usage: TokenUsage, of request: InferenceRequest) -> [ReportedNumber]
}

/// Learns how a request ended. Called synchronously on the response's path: it must not block.
public protocol ResponseObserver: Plugin {
    /// Called once per attempt, when the request's lease on `endpoint` closes.
    func didEnd(_ request: InferenceRequest, endpoint: EndpointSnapshot, outcome: RequestOutcome, usage: TokenUsage?)
}

/// Says how much a request adds to the load of the endpoint that it goes to. Of several in a pipeline the first counts;
/// without one a request counts its prompt tokens until the response's first byte.
public protocol LoadEstimator: Plugin {
    /// What the request of `context` adds to the load of `endpoint`. Called when its lease is opened.
    func load(of context: SchedulingContext, on endpoint: EndpointSnapshot) -> LoadEstimate
}

/// Keeps per-endpoint state that must be dropped when an endpoint leaves.
public protocol EndpointObserver: Plugin {
    /// Called once when an endpoint left the pool; its slot will be used again, with a higher incarnation.
    func endpointDidLeave(_ endpoint: EndpointSnapshot)
}
