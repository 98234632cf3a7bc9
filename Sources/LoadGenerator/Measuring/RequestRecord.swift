/// What became of one request. Instants are nanoseconds of the event loops' clock.
struct RequestRecord {
    /// When it was to be sent: in an open loop whenever its turn came, not when there was room for it.
    var scheduled: Int64
    /// When its bytes were handed to the connection.
    var sent: Int64 = 0
    /// When the first byte with generated text came; `nil` while none has.
    var firstToken: Int64?
    /// When the last of them came.
    var lastToken: Int64 = 0
    /// When the answer was whole, or was given up.
    var ended: Int64 = 0
    /// The times between events with text, in nanoseconds.
    var gaps: [Int64] = []
    /// Events with text.
    var textEvents = 0
    /// What the server counted; `nil` when its answer does not tell.
    var usage: TokenUsage?
    /// The status of the answer; `nil` when none came.
    var status: Int?
    /// Why it failed, in few words; `nil` for a request that was answered.
    var failure: String?
    /// The endpoint that served it, where a gateway tells.
    var server: String?
    /// Whether its connection had been closed by the server meanwhile, so that it was sent on another one.
    var wasSentAgain = false

    init(scheduled: Int64) {
        self.scheduled = scheduled
    }

    /// Whether the whole answer came, with status 200.
    var isSuccess: Bool { failure == nil }

    /// The tokens of the answer: those of its usage, or else its events.
    var outputTokens: Int { usage?.output ?? textEvents }

    /// From the schedule to the first text.
    var timeToFirstToken: Int64? { firstToken.map { $0 - scheduled } }

    /// From the schedule to the end.
    var duration: Int64 { ended - scheduled }

    /// The mean time of each token behind the first one.
    var timePerOutputToken: Int64? {
        guard let firstToken, outputTokens > 1 else { return nil }
        return (lastToken - firstToken) / Int64(outputTokens - 1)
    }
}

/// The token counts of an answer.
struct TokenUsage: Hashable {
    var prompt: Int
    var output: Int
    /// Tokens of the prompt that came from a prefix cache; 0 when the server does not tell.
    var cached: Int
}
