/// One life of one endpoint: what anything that is kept about an endpoint, or comes late, is checked against, so that
/// it never reaches an endpoint that took the slot.
public struct EndpointLife: Hashable, Sendable {
    /// The slot; see ``EndpointSnapshot/slot``.
    public let slot: Int
    /// The incarnation; see ``EndpointSnapshot/incarnation``.
    public let incarnation: Int

    /// The life that `snapshot` shows.
    public init(_ snapshot: EndpointSnapshot) {
        self.init(slot: snapshot.slot, incarnation: snapshot.incarnation)
    }

    /// A life by its numbers.
    package init(slot: Int, incarnation: Int) {
        self.slot = slot
        self.incarnation = incarnation
    }
}
