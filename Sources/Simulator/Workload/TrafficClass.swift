/// Clients that are alike: of one tenant, with one objective.
package struct TrafficClass: Sendable, Hashable {
    /// The flow that fairness is kept for; empty for none.
    package var fairnessID = ""
    /// The name of an objective, which gives the priority; empty for none.
    package var objective = ""
    /// Clients, at least 1.
    package var clients = 1
    /// Requests that each of them sends, at least 1.
    package var requestsPerClient = 1
    /// Whether the clients send at their own pace, whatever becomes of their requests; else each waits for its answer.
    package var isOpen = false
    /// The mean time between two requests of an open client, which are a Poisson process; between an answer and the
    /// next request of another one.
    package var gapMilliseconds = 100
    /// Tokens of the prompt behind the shared prefix, at least 1.
    package var suffixTokens = 60...260
    /// Tokens of an answer, at least 1.
    package var outputTokens = 32...96

    /// The endpoint that a proxy in front allows alone; `nil` for all.
    package var onlyEndpoint: Int?

    /// One client with one request.
    package init() {}
}
