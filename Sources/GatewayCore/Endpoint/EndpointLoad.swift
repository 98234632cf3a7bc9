import Synchronization

/// The gateway's own count of what it has in flight on one endpoint.
///
/// One instance belongs to one life of an endpoint: an endpoint that leaves and comes back gets a new one, so a request
/// that ends late cannot make the new count wrong. Only leases change it.
public final class EndpointLoad: Sendable {
    private let requestCount = Atomic<Int>(0)
    private let tokenCount = Atomic<Int>(0)

    /// Makes an empty count.
    public init() {}

    /// Requests that are open on the endpoint.
    public var requests: Int { requestCount.load(ordering: .relaxed) }

    /// Tokens that the requests which are open on the endpoint give it to work on: those of their prompts until the
    /// responses' first bytes, unless a ``LoadEstimator`` counts otherwise.
    public var tokens: Int { tokenCount.load(ordering: .relaxed) }

    /// Adds one request of `tokens` prompt tokens. For the ledger only: whoever calls it owes one ``remove(tokens:)``.
    package func add(tokens: Int) {
        requestCount.wrappingAdd(1, ordering: .relaxed)
        tokenCount.wrappingAdd(tokens, ordering: .relaxed)
    }

    /// Takes back what ``add(tokens:)`` added. For the ledger only.
    package func remove(tokens: Int) {
        requestCount.wrappingSubtract(1, ordering: .relaxed)
        tokenCount.wrappingSubtract(tokens, ordering: .relaxed)
    }

    /// Takes back tokens of a request that goes on. For the ledger only.
    package func releaseTokens(_ tokens: Int) {
        tokenCount.wrappingSubtract(tokens, ordering: .relaxed)
    }
}
