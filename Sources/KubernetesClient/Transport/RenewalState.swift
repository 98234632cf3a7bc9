/// When something that grows old is used and when it is obtained anew: a token, certificates, what a plugin said.
///
/// Decisions alone, over instants that the caller gives; ``Renewed`` does what they say.
struct RenewalState<Value: Sendable>: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// A value, and which one it is.
    struct Held: Sendable {
        let value: Value
        /// Counts the values that were obtained.
        let generation: Int
    }

    /// What to do for a request.
    enum Decision: Sendable {
        /// Use this.
        case use(Held)
        /// Obtain a new value, then ask again.
        case renew
        /// There is no value, and the last attempt to get one failed too recently to try again.
        case fail(APIError)
    }

    /// How often things are done.
    struct Pace: Sendable {
        /// How long after an attempt that failed there is no other one.
        var retryDelay = Duration.zero
        /// How old a value must be for a refusal to have it replaced. A server that refuses everybody must not have a
        /// plugin run for every request.
        var leastAge = Duration.zero
    }

    private let pace: Pace
    private var held: Held?
    private var obtainedAt: Instant?
    private var renewAt: Instant?
    private var expiresAt: Instant?
    private var isRefused = false
    private var failure: (error: APIError, until: Instant)?
    private var lastGeneration = 0

    /// Starts without a value.
    init(pace: Pace = Pace()) {
        self.pace = pace
    }

    /// What to do for a request at `now`.
    func next(at now: Instant) -> Decision {
        let recent = failure.flatMap { now < $0.until ? $0.error : nil }
        if let held, expiresAt.map({ now < $0 }) ?? true {
            let isOld = isRefused || renewAt.map { now >= $0 } ?? false
            return isOld && recent == nil ? .renew : .use(held)
        }
        if let recent { return .fail(recent) }
        return .renew
    }

    /// What to do when an attempt to renew just failed with `error`: an old value that has not expired still serves.
    func fallback(at now: Instant, _ error: APIError) -> Decision {
        if let held, expiresAt.map({ now < $0 }) ?? true { return .use(held) }
        return .fail(error)
    }

    /// Takes a value that is good until `expiresAt` and is to be replaced from `renewAt` on; `nil` stands for never.
    mutating func obtained(_ value: Value, at now: Instant, renewAt: Instant?, expiresAt: Instant?) -> Held {
        lastGeneration += 1
        let held = Held(value: value, generation: lastGeneration)
        self.held = held
        obtainedAt = now
        self.renewAt = renewAt
        self.expiresAt = expiresAt
        isRefused = false
        failure = nil
        return held
    }

    /// Notes that no value could be obtained.
    mutating func failed(_ error: APIError, at now: Instant) {
        failure = (error, now + pace.retryDelay)
    }

    /// Notes that the server did not take the value of this generation.
    mutating func refused(_ generation: Int, at now: Instant) {
        guard let held, held.generation == generation, let obtainedAt, now - obtainedAt >= pace.leastAge else { return }
        isRefused = true
    }
}
