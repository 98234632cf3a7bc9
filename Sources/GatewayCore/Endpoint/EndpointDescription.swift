/// An endpoint as a source of endpoints describes it.
public struct EndpointDescription: Hashable, Sendable {
    /// The endpoint's name.
    public var id: EndpointID
    /// Where it listens.
    public var address: EndpointAddress
    /// Its labels.
    public var labels: [String: String]
    /// The name of the pod that it is, or of which it is a rank; see ``EndpointSnapshot/podName``.
    public var podName: String

    /// Makes a description; without a pod's name the endpoint's own name is the pod's.
    public init(id: EndpointID, address: EndpointAddress, labels: [String: String] = [:], podName: String? = nil) {
        self.podName = podName ?? id.name
        self.id = id
        self.address = address
        self.labels = labels
    }
}

/// Takes the endpoints that a source found. The data layer implements it; sources (files, a cluster) write to it.
public protocol EndpointSink: Sendable {
    /// Makes `endpoints` the whole set: new ones are added, changed ones updated in place, missing ones removed.
    ///
    /// Atomic for readers: a request sees either the set before or the set after. Endpoints keep their order.
    func replaceEndpoints(_ endpoints: [EndpointDescription])
}
