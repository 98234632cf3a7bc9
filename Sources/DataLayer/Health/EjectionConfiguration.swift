/// When an endpoint is taken out of the candidates, and how it comes back.
package struct EjectionConfiguration: Hashable, Sendable {
    /// Failed requests in a row after which an endpoint is ejected; at least 1. Default 3.
    package var consecutiveFailures = 3
    /// How long the first ejection lasts; each further one lasts twice as long. Default 1 s.
    package var baseDuration = Duration.seconds(1)
    /// The longest ejection. Default 30 s.
    package var maxDuration = Duration.seconds(30)
    /// How long one trial request keeps others away from an endpoint that is coming back. Default 5 s.
    package var trialTimeout = Duration.seconds(5)
    /// How long an endpoint must have been healthy for its earlier ejections to be forgotten. Default 60 s.
    package var quietTime = Duration.seconds(60)
    /// Scrapes in a row that found nobody listening after which an endpoint is ejected; 0 means never. Default 2.
    package var refusedScrapes = 2
    /// How long a scrape that finds nobody listening prolongs the ejection of an endpoint that was lost. Default 5 s;
    /// longer than the pace of scrapes with their timeout, so that no request is tried on an address known to be dead.
    package var refusedScrapeHold = Duration.seconds(5)

    /// The defaults.
    package init() {}
}

/// Why an endpoint was ejected; the raw value is the `reason` label of `endpoint_ejections_total`.
package enum EjectionReason: String, Hashable, Sendable, CaseIterable {
    /// Requests could not connect.
    case connect
    /// Connections broke off before or in the middle of responses.
    case reset
    /// Responses were 502, 503 or 504.
    case gatewayError = "gateway_error"
    /// Responses did not come in time.
    case timeout
    /// Scrapes found nobody listening.
    case unreachable

    /// Whether the endpoint was lost rather than unwell: then a scrape that is answered tells that it is back.
    var isLoss: Bool {
        switch self {
        case .connect, .reset, .unreachable: true
        case .gatewayError, .timeout: false
        }
    }
}
