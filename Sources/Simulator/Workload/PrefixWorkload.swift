/// Clients that send chat completions whose prompts share long beginnings, as agents and assistants with a few system
/// prompts do.
///
/// The loop is closed: each client waits for its answer before it thinks and sends the next request. What the n-th
/// request of a client is follows from the seed, the client and n alone, so runs under different policies serve exactly
/// the same requests.
package struct PrefixWorkload: Sendable, Hashable {
    /// Clients, at least 1.
    package var clients = 24
    /// Requests that each client sends before it leaves, at least 1.
    package var requestsPerClient = 15
    /// Shared prefixes, at least 1; a request draws one of them with equal chance.
    package var prefixes = 8
    /// Tokens of a shared prefix, at least 1. A token is four bytes of text.
    package var prefixTokens = 4_000
    /// Tokens behind the prefix, which no other request has; at least 1.
    package var suffixTokens = 60...260
    /// Tokens of an answer, at least 1.
    package var outputTokens = 32...96
    /// How long a client waits between an answer, or a refusal, and its next request.
    package var thinkMilliseconds = 20...200
    /// The time in which the clients begin one after the other, in random order.
    package var rampMilliseconds = 1_000
    /// The share of requests whose client goes away before it has its answer, 0 ... 1.
    package var departures = 0.0
    /// How long a client that goes away has waited.
    package var patienceMilliseconds = 10...2_000

    /// The defaults: a team of two dozen with eight system prompts of 4,000 tokens.
    package init() {}

    /// Who the clients are, where they are not alike: in place of ``clients``, ``requestsPerClient``, ``suffixTokens``,
    /// ``outputTokens`` and ``thinkMilliseconds``.
    package var classes: [TrafficClass] = []

    /// All requests of all clients.
    package var requestCount: Int {
        classes.isEmpty
            ? clients * requestsPerClient : classes.reduce(0) { $0 + $1.clients * $1.requestsPerClient }
    }

    /// How many clients there are.
    package var clientCount: Int { classes.isEmpty ? clients : classes.reduce(0) { $0 + $1.clients } }

    /// The class of a client; `nil` where all are alike.
    func trafficClass(of client: Int) -> TrafficClass? {
        var first = 0
        for trafficClass in classes {
            if client < first + trafficClass.clients { return trafficClass }
            first += trafficClass.clients
        }
        return nil
    }

    /// How many requests a client sends.
    func requestCount(of client: Int) -> Int { trafficClass(of: client)?.requestsPerClient ?? requestsPerClient }

    /// The tokens of shared prefixes that caches can hold at best in `blockSize` blocks: only whole blocks are found,
    /// and each prefix has to be computed once somewhere.
    ///
    /// - Parameter requests: how many requests were computed by engines.
    package func bestHitTokens(requests: Int, blockSize: Int) -> Int {
        max(0, requests - prefixes) * (prefixTokens / blockSize * blockSize)
    }
}
