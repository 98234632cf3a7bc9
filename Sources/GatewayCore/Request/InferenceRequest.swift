/// A request after identification: what the scheduler and its plugins know of it. Immutable from here on.
public final class InferenceRequest: Sendable {
    /// The request's identifier: the client's `x-request-id` or one made by the gateway.
    public let id: String
    /// The model that the client asked for; empty when the request names none.
    public let model: String
    /// The model that the request is served by, after rewriting; equal to ``model`` without a rewrite.
    public let targetModel: String
    /// The name of the InferenceObjective that the client chose; empty when none.
    public let objective: String
    /// The priority of its objective, or else of its model: higher is served first, negative may be shed, 0 when
    /// nothing says more.
    public let priority: Int
    /// The flow that fairness is kept for.
    public let fairnessID: String
    /// What metrics call the flow: ``fairnessID``, but one name for all flows that have the identifier of a client's
    /// session, of which there is no end.
    public let fairnessLabel: String
    /// Whether the client asked for a streamed response.
    public let isStreaming: Bool
    /// The request's header fields.
    public let headers: HeaderMap
    /// The whole body. It may be let go of once the request was sent where it will not be sent again from here: then it
    /// is empty, and ``promptRanges`` lead nowhere. Plugins read it while they produce data or choose.
    public let body: any BodyBytes
    /// The byte ranges of the body that form the prompt, in the order in which a chat template lays them out.
    public let promptRanges: [Range<Int>]
    /// The client's salt for prefix caching; requests with different salts never share a prefix.
    public let cacheSalt: String
    /// The estimated number of prompt tokens (four bytes each), or the exact one when the prompt is made of token ids.
    public let inputTokens: Int
    /// The most tokens that the response may have; `nil` when the client set no bound.
    public let maxOutputTokens: Int?
    /// When the request's first byte was seen.
    public let receivedAt: MonotonicInstant

    /// Makes a request; see the properties.
    public init(
        id: String,
        model: String,
        targetModel: String? = nil,
        objective: String = "",
        priority: Int = 0,
        fairnessID: String = "default-flow",
        fairnessLabel: String? = nil,
        isStreaming: Bool = false,
        headers: HeaderMap = HeaderMap(),
        body: any BodyBytes = ArrayBody([]),
        promptRanges: [Range<Int>] = [],
        cacheSalt: String = "",
        inputTokens: Int = 0,
        maxOutputTokens: Int? = nil,
        receivedAt: MonotonicInstant = MonotonicInstant(nanoseconds: 0)
    ) {
        self.id = id
        self.model = model
        self.targetModel = targetModel ?? model
        self.objective = objective
        self.priority = priority
        self.fairnessID = fairnessID
        self.fairnessLabel = fairnessLabel ?? fairnessID
        self.isStreaming = isStreaming
        self.headers = headers
        self.body = body
        self.promptRanges = promptRanges
        self.cacheSalt = cacheSalt
        self.inputTokens = inputTokens
        self.maxOutputTokens = maxOutputTokens
        self.receivedAt = receivedAt
    }
}
