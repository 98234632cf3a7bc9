/// How a number about an endpoint, an attribute, is read from a page that may tell of several endpoints: the largest of
/// its series.
public struct AttributeRule: Hashable, Sendable {
    /// The attribute's key, `name/producer`; see ``EndpointSnapshot/attributes``.
    public var key: String
    /// The series to look at. They must be gauges or counters.
    public var metric: MetricSpec
    /// The label that names the endpoint which a series is about. Series about others do not count, series without the
    /// label do. `nil` when all count.
    public var ownerLabel: String?
    /// What the series' value is divided by; not 0.
    public var divisor: Double
    /// What the attribute can be, after the division. A series outside of it does not count.
    public var range: ClosedRange<Double>

    /// Makes a rule; see the properties.
    public init(
        key: String,
        metric: MetricSpec,
        ownerLabel: String? = nil,
        divisor: Double = 1,
        range: ClosedRange<Double> = -.infinity ... .infinity
    ) {
        self.key = key
        self.metric = metric
        self.ownerLabel = ownerLabel
        self.divisor = divisor
        self.range = range
    }
}
