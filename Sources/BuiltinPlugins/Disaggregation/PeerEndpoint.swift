import GatewayCore

/// The endpoint that an earlier profile of the same request chose, which later profiles may want to be near to.
enum PeerEndpoint {
    /// The name that the profile handler writes it under, whatever its own name is.
    static let producer = "disagg-profile-handler"
    /// The key.
    static let key = DataKey<EndpointSnapshot>("peer-endpoint", defaultProducer: producer)
}
