package import GatewayCore
import Telemetry

/// A request's right to one place at one endpoint, from ``EndpointStore/open(_:tokens:)`` to its end.
///
/// While the lease is open it counts in the endpoint's load, and in those of further endpoints that work for the same
/// request. It is bound to the load instance of that life of the endpoint, so its end never touches the count of a
/// later life. It cannot be copied, and it is closed exactly once: by ``close(_:detail:)``, or, if the gateway loses
/// it, by its deinitialiser as ``GatewayCore/RequestOutcome/abandoned``, which counts as a leak. It may move between
/// threads, but one at a time uses it.
package struct RequestLease: ~Copyable, Sendable {
    /// The endpoint as it was when the lease was opened.
    package let endpoint: EndpointSnapshot
    /// When the lease was opened.
    package let openedAt: MonotonicInstant
    private let store: EndpointStore
    /// The tokens that count now.
    private var tokens: Int
    private let lastsToEnd: Bool
    /// The further endpoints that count now.
    private var supporting: [SupportingLoad]
    /// The gauges that the request counts on; they go with the load.
    private let gauges: InFlightGauges?
    private let trial: Int?
    private var isOpen = true

    init(
        store: EndpointStore,
        endpoint: EndpointSnapshot,
        load: LoadEstimate,
        supporting: [SupportingLoad],
        gauges: InFlightGauges? = nil,
        trial: Int?,
        openedAt: MonotonicInstant
    ) {
        self.store = store
        self.endpoint = endpoint
        tokens = load.tokens
        lastsToEnd = load.lastsToEnd
        self.supporting = supporting
        self.gauges = gauges
        self.trial = trial
        self.openedAt = openedAt
        endpoint.load.add(tokens: tokens)
        gauges?.add(tokens: tokens)
        for support in supporting { support.begin() }
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

    /// Tells that the first byte of the response's body arrived: the prompt is computed, so what counted only until
    /// then counts no more. Further calls do nothing.
    package mutating func firstByteReceived() {
        if !lastsToEnd, tokens > 0 {
            endpoint.load.releaseTokens(tokens)
            gauges?.releaseTokens(tokens)
            tokens = 0
        }
        guard !supporting.isEmpty else { return }
        for support in supporting where !support.lastsToEnd { support.end() }
        supporting.removeAll { !$0.lastsToEnd }
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
        gauges?.remove(tokens: tokens)
        for support in supporting { support.end() }
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

/// A further endpoint that works for a request beside the one that answers it, such as one that computes its prompt.
package struct SupportingLoad: Sendable {
    /// The endpoint as it was when it was chosen.
    package let endpoint: EndpointSnapshot
    /// The tokens that it has to work on.
    package let tokens: Int
    /// Whether it works until the request's end; else only until the response's first byte.
    package let lastsToEnd: Bool
    /// The gauges that it counts on.
    var gauges: InFlightGauges?

    /// Makes a share; `tokens` is 0 or more.
    package init(endpoint: EndpointSnapshot, tokens: Int, lastsToEnd: Bool) {
        self.endpoint = endpoint
        self.tokens = tokens
        self.lastsToEnd = lastsToEnd
    }

    func begin() {
        endpoint.load.add(tokens: tokens)
        gauges?.add(tokens: tokens)
    }

    func end() {
        endpoint.load.remove(tokens: tokens)
        gauges?.remove(tokens: tokens)
    }
}

/// Whose request one is, for the gauges of requests in flight.
package struct InFlightKind: Hashable, Sendable {
    /// The name of the plugin that says what it is for an endpoint; empty for none.
    package let producer: String
    /// Its flow.
    package let fairnessID: String
    /// Its priority.
    package let priority: Int

    /// Names a kind.
    package init(producer: String, fairnessID: String, priority: Int) {
        self.producer = producer
        self.fairnessID = fairnessID
        self.priority = priority
    }
}

/// As ``GatewayCore/EndpointLoad`` counts, of one kind of request.
extension InFlightGauges {
    fileprivate func add(tokens: Int) {
        requests.increment()
        self.tokens.add(Double(tokens))
    }

    fileprivate func remove(tokens: Int) {
        requests.decrement()
        self.tokens.add(-Double(tokens))
    }

    fileprivate func releaseTokens(_ tokens: Int) {
        self.tokens.add(-Double(tokens))
    }
}
