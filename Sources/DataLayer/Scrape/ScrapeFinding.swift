package import GatewayCore
package import Telemetry

/// Something about a page that was absent or could not be taken as it stood.
package struct ScrapeFault: Hashable, Sendable {
    /// What it is about.
    package let field: ScrapedField
    /// What is wrong.
    package let reason: ScrapeFaultReason
    /// The key of the attribute that it is about; `nil` for any other field.
    package let attribute: String?

    /// Makes a fault; see the properties.
    package init(_ field: ScrapedField, _ reason: ScrapeFaultReason, attribute: String? = nil) {
        self.field = field
        self.reason = reason
        self.attribute = attribute
    }
}

/// The value of an attribute as a page tells it.
package struct AttributeReading: Hashable, Sendable {
    /// The attribute's key, `name/producer`.
    package let key: String
    /// The value; finite.
    package let value: Double

    /// Makes a reading; `value` must be finite.
    package init(key: String, value: Double) {
        self.key = key
        self.value = value
    }
}

/// What the answer to one question, or its absence, told of an endpoint.
package struct ScrapeFinding: Sendable {
    /// What an answer says of the endpoint's reachability.
    package enum Reach: Hashable, Sendable {
        /// Nothing: the page is elsewhere, or the answer tells neither.
        case unknown
        /// Somebody listens and answers.
        case answered
        /// Nobody listens.
        case refused(detail: String)
    }

    /// The type of the data source whose page it is; its failed polls are counted under it.
    package let source: String
    /// When the question was sent.
    package let startedAt: MonotonicInstant
    /// What the scrape of a metrics page counts as; `nil` for other pages.
    package var result: DataLayerMetrics.ScrapeResult?
    /// Whether it is a failure of the endpoint.
    package var isPollError = false
    /// What it says of the endpoint's reachability.
    package var reach = Reach.unknown
    /// The endpoint's metrics with what the page told; `nil` when it told nothing.
    package var metrics: EndpointMetrics?
    /// How many requests of the gateway were open on the endpoint when the question was sent.
    package var requests: Int?
    /// The attributes that the page told.
    package var attributes: [AttributeReading] = []
    /// The model list; `nil` when there is none.
    package var models: [ServedModel]?
    /// What was wrong with the page, or that none came.
    package var faults: [ScrapeFault] = []

    /// A finding that says nothing yet.
    package init(source: String, startedAt: MonotonicInstant, result: DataLayerMetrics.ScrapeResult? = nil) {
        self.source = source
        self.startedAt = startedAt
        self.result = result
    }
}

/// The asking for one page of one life: when to ask, and what an answer means. At most one question is under way.
///
/// A value that knows neither clock nor transport: the caller passes the time, sends the request and writes the
/// findings.
package protocol PageWatch: Sendable {
    /// The question, the same each time.
    var request: OutboundRequest { get }
    /// When ``request`` is to be sent; `nil` while an answer is awaited.
    var nextDue: MonotonicInstant? { get }

    /// Leaves out a look that is due at `now` and not needed yet; most pages are always looked at.
    mutating func skipIfIdle(at now: MonotonicInstant)

    /// Notes that ``request`` is sent now.
    ///
    /// - Parameters:
    ///   - endpoint: what is known of the endpoint now.
    ///   - now: the present.
    mutating func ask(_ endpoint: EndpointSnapshot, at now: MonotonicInstant)

    /// Takes the answer and plans the next question.
    ///
    /// - Returns: what it told; `nil` when nothing was asked.
    mutating func answered(
        _ result: Result<OutboundResponse, OutboundFailure>,
        at now: MonotonicInstant
    ) -> ScrapeFinding?
}

extension ScrapeFinding {
    /// The type of the plugin that could not take all of an answer; `nil` when it took all, and when none came.
    var failedExtractor: String? {
        guard !isPollError, !faults.isEmpty else { return nil }
        return switch source {
        case "metrics-data-source": "core-metrics-extractor"
        case "models-data-source": "models-data-extractor"
        case "dcgm-data-source": "dcgm-extractor"
        default: source
        }
    }
}

extension PageWatch {
    /// Leaves out nothing.
    package mutating func skipIfIdle(at now: MonotonicInstant) {}
}

extension OutboundFailure {
    /// What a page that did not come whole counts as.
    var pageFault: ScrapeFaultReason {
        switch self {
        case .connect: .unreachable
        case .timedOut: .timedOut
        case .badResponse: .unreadable
        case .overLimit: .tooLarge
        }
    }
}
