package import GatewayCore

/// A request's right to one place at one endpoint, from ``EndpointStore/open(_:tokens:)`` to its end.
///
/// While the lease is open it counts in the endpoint's load. It is bound to the load instance of that life of the
/// endpoint, so its end never touches the count of a later life. It cannot be copied, and it is closed exactly once: by
/// ``close(_:detail:)``, or, if the gateway loses it, by its deinitialiser as ``GatewayCore/RequestOutcome/abandoned``,
/// which counts as a leak. It may move between threads, but one at a time uses it.
package struct RequestLease: ~Copyable, Sendable {
    /// The endpoint as it was when the lease was opened.
    package let endpoint: EndpointSnapshot
    /// When the lease was opened.
    package let openedAt: MonotonicInstant
    private let store: EndpointStore
    private let tokens: Int
    private let trial: Int?
    private var isOpen = true

    init(store: EndpointStore, endpoint: EndpointSnapshot, tokens: Int, trial: Int?, openedAt: MonotonicInstant) {
        self.store = store
        self.endpoint = endpoint
        self.tokens = tokens
        self.trial = trial
        self.openedAt = openedAt
        endpoint.load.add(tokens: tokens)
        store.ledger.leaseOpened()
    }

    deinit {
        guard isOpen else { return }
        settle(.abandoned, detail: "")
        store.ledger.leaseLeaked()
    }

    /// Tells that the head of the response arrived and is no 502, 503 or 504: an endpoint that was being tried is
    /// healthy from here on, even though its response goes on.
    package func responseBegan() {
        store.responseBegan(EndpointLife(endpoint), openedAt: openedAt)
    }

    /// Ends the lease: takes the request off the endpoint's load and reports the outcome to its health.
    ///
    /// - Parameters:
    ///   - outcome: how the request ended.
    ///   - detail: what went wrong, for people, such as `connection refused`; shown when the endpoint is ejected.
    package consuming func close(_ outcome: RequestOutcome, detail: String = "") {
        settle(outcome, detail: detail)
        isOpen = false
    }

    private borrowing func settle(_ outcome: RequestOutcome, detail: String) {
        endpoint.load.remove(tokens: tokens)
        store.ledger.leaseClosed()
        store.requestClosed(
            EndpointLife(endpoint),
            RequestVerdict(outcome),
            detail: detail.isEmpty ? outcome.rawValue : detail,
            trial: trial,
            openedAt: openedAt
        )
    }
}
