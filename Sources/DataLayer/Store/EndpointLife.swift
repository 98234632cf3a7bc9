package import GatewayCore

/// One life of one endpoint: what a late result is checked against, so that it never reaches an endpoint that took the
/// slot.
package struct EndpointLife: Hashable, Sendable {
    /// The slot; see ``GatewayCore/EndpointSnapshot/slot``.
    package let slot: Int
    /// The incarnation; see ``GatewayCore/EndpointSnapshot/incarnation``.
    package let incarnation: Int

    /// The life that `snapshot` shows.
    package init(_ snapshot: EndpointSnapshot) {
        slot = snapshot.slot
        incarnation = snapshot.incarnation
    }

    init(slot: Int, incarnation: Int) {
        self.slot = slot
        self.incarnation = incarnation
    }
}
