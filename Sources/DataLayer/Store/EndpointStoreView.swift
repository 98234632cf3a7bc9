package import GatewayCore

/// An endpoint that is not a candidate, and why.
package struct EndpointOutage: Hashable, Sendable, CustomStringConvertible {
    /// The endpoint.
    package let id: EndpointID
    /// The kind of failure.
    package let reason: EjectionReason
    /// What the last failure said.
    package let detail: String
    /// When it was ejected.
    package let since: MonotonicInstant
    /// When it may be tried again at the latest, unless it is found to be gone still.
    package let until: MonotonicInstant

    package var description: String { "\(id): \(detail)" }
}

/// One pool's endpoints at one moment; immutable and shared by all who ask until something changes.
package final class EndpointStoreView: Sendable {
    /// Counts the views of this pool; a view with a higher number is later.
    package let generation: UInt64
    /// Every endpoint, in the order of its source.
    package let endpoints: [EndpointSnapshot]
    /// The endpoints that a request may go to, in the same order.
    ///
    /// An ejected endpoint is not among them, and none that is ``cordoned``. One that is coming back is, until its
    /// trial request is opened: from then on only while no other endpoint is left. Requests that hold the same view may
    /// each become a trial; they are as many as there are threads that decide at that moment.
    package let available: [EndpointSnapshot]
    /// The endpoints that are ejected or coming back, in the same order; empty when all are healthy.
    package let outages: [EndpointOutage]
    /// The endpoints that an operator took out; empty most of the time.
    package let cordoned: Set<EndpointID>
    /// What the endpoints serve.
    package let models: ServedModels
    /// What was wrong with the last pages of endpoints, by endpoint and type of source; those without faults are left
    /// out.
    package let faults: [EndpointID: [String: [ScrapeFault]]]
    /// From when on time alone may have changed ``available``; `nil` when it cannot.
    package let validUntil: MonotonicInstant?

    init(
        generation: UInt64,
        endpoints: [EndpointSnapshot],
        available: [EndpointSnapshot],
        outages: [EndpointOutage],
        cordoned: Set<EndpointID>,
        models: ServedModels,
        faults: [EndpointID: [String: [ScrapeFault]]],
        validUntil: MonotonicInstant?
    ) {
        self.generation = generation
        self.endpoints = endpoints
        self.available = available
        self.outages = outages
        self.cordoned = cordoned
        self.models = models
        self.faults = faults
        self.validUntil = validUntil
    }
}
