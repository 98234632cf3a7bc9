/// What the plugins of one scheduling decision share: the request, its scratch, the time and the random source.
public struct SchedulingContext: Sendable {
    /// The request.
    public let request: InferenceRequest
    /// The instant of the decision; plugins use it instead of reading a clock, so that one decision has one time. Each
    /// attempt of a request is a decision of its own.
    public package(set) var now: MonotonicInstant
    /// The request's data slots.
    public var scratch: RequestScratch
    /// The decision's random source; seeded per request.
    public var random: RandomSource
    /// What plugins change in the header of the request that goes to the endpoint. Empty at the start of each attempt.
    public var requestHeaders = HeaderMutation()

    /// Makes a context.
    public init(request: InferenceRequest, now: MonotonicInstant, scratch: RequestScratch, random: RandomSource) {
        self.request = request
        self.now = now
        self.scratch = scratch
        self.random = random
    }
}
