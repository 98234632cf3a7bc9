import NIOCore

/// Whether the other side of an exchange has been silent for too long. The time in which the reader of the body does
/// not ask for more does not count: then nothing can come.
struct ResponseSilence: Sendable {
    /// What is to be done at a time.
    enum Verdict: Equatable, Sendable {
        /// The other side has been silent for too long.
        case tooLong
        /// Look again then.
        case lookAgain(NIODeadline)
        /// Nothing is waited for.
        case nothing
    }

    private var limit: TimeAmount
    private var since: NIODeadline
    private var isWaiting = true
    /// Whether the head has not come yet.
    private(set) var isBeforeHead = true

    /// Waits for a head from `now` on, for at most `limit`.
    init(now: NIODeadline, limit: TimeAmount) {
        since = now
        self.limit = limit
    }

    /// The head came; from now on the silence between two pieces of the body is limited.
    mutating func headCame(at now: NIODeadline, limit: TimeAmount) {
        isBeforeHead = false
        since = now
        self.limit = limit
    }

    /// A piece of the body came.
    mutating func pieceCame(at now: NIODeadline) {
        since = now
    }

    /// The reader has enough for now.
    mutating func readerPaused() {
        isWaiting = false
    }

    /// The reader wants more.
    mutating func readerResumed(at now: NIODeadline) {
        isWaiting = true
        since = now
    }

    /// What is to be done at `now`.
    func verdict(at now: NIODeadline) -> Verdict {
        guard isWaiting else { return .nothing }
        return now >= since + limit ? .tooLong : .lookAgain(since + limit)
    }
}
