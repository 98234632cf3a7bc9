/// What the gateway knows of one endpoint at one moment: an immutable value, built once per change and shared by all
/// requests.
public final class EndpointSnapshot: Sendable {
    /// The endpoint's name.
    public let id: EndpointID
    /// A small number that is the endpoint's own while it exists, from 0; it indexes per-endpoint tables of plugins and
    /// is used again after the endpoint left.
    public let slot: Int
    /// Counts the endpoints that had this slot before: together with ``slot`` it names one life of one endpoint.
    public let incarnation: Int
    /// Where it listens.
    public let address: EndpointAddress
    /// The name of the pod that it is, by which exporters beside the engine know it. The ranks of one host share it;
    /// else it is the name in ``id``.
    public let podName: String
    /// Its labels; selectors and label filters look at them.
    public let labels: [String: String]
    /// Its part in serving a request, by its label.
    public let role: EndpointRole
    /// What its engine last told.
    public let metrics: EndpointMetrics
    /// When ``metrics`` were received; `nil` before the first answer. Old metrics stay visible: how to treat them is
    /// the plugin's decision.
    public let metricsUpdatedAt: MonotonicInstant?
    /// How many requests of the gateway were open there when ``metrics`` were asked for; those beyond came later, and
    /// the metrics do not know of them.
    public let requestsAtMetrics: Int
    /// The most requests that the engine was seen running while none waited, 0 before it was seen.
    public let provenRequests: Int
    /// The names of the models and adapters that it serves; `nil` when it has not told.
    public let models: [String]?
    /// Further numbers that were read about it, by `name/producer`, such as `GPUUtilization/dcgm-extractor`. Empty
    /// unless the configuration reads some.
    public let attributes: [String: Double]
    /// What the gateway itself has in flight there; live, not part of the moment.
    public let load: EndpointLoad

    /// Makes a snapshot; see the properties.
    public init(
        id: EndpointID,
        slot: Int,
        incarnation: Int = 0,
        address: EndpointAddress,
        labels: [String: String] = [:],
        metrics: EndpointMetrics = EndpointMetrics(),
        metricsUpdatedAt: MonotonicInstant? = nil,
        requestsAtMetrics: Int = 0,
        provenRequests: Int = 0,
        models: [String]? = nil,
        attributes: [String: Double] = [:],
        load: EndpointLoad = EndpointLoad(),
        podName: String? = nil
    ) {
        self.podName = podName ?? id.name
        self.id = id
        self.slot = slot
        self.incarnation = incarnation
        self.address = address
        self.labels = labels
        role = EndpointRole(labels: labels)
        self.metrics = metrics
        self.metricsUpdatedAt = metricsUpdatedAt
        self.requestsAtMetrics = requestsAtMetrics
        self.provenRequests = provenRequests
        self.models = models
        self.attributes = attributes
        self.load = load
    }

    /// How old the metrics are at `now`; `nil` before the first answer.
    public func metricsAge(at now: MonotonicInstant) -> Duration? {
        metricsUpdatedAt.map { now.since($0) }
    }
}
