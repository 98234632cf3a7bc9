/// Where an endpoint listens.
public struct EndpointAddress: Hashable, Sendable, CustomStringConvertible {
    /// An IPv4 or IPv6 address without brackets, or a DNS name.
    public let host: String
    /// The TCP port, 1 to 65,535.
    public let port: Int
    /// Whether the endpoint speaks TLS.
    public let isSecure: Bool
    /// `host:port`, with an IPv6 host in brackets: the form of the `x-gateway-destination-endpoint` header.
    public let authority: String

    /// Makes an address; `port` must be in 1 ... 65,535.
    public init(host: String, port: Int, isSecure: Bool = false) {
        self.host = host
        self.port = port
        self.isSecure = isSecure
        authority = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    public var description: String { authority }

    // The authority follows from the host and the port.

    public static func == (left: EndpointAddress, right: EndpointAddress) -> Bool {
        left.port == right.port && left.isSecure == right.isSecure && left.host == right.host
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(host)
        hasher.combine(port)
        hasher.combine(isSecure)
    }
}
