package import GatewayCore

/// A Gateway (`gateway.networking.k8s.io/v1`): where the proxy listens.
package struct GatewayResource: Sendable {
    /// The protocols that a listener may speak. HTTP/2 is negotiated in both.
    package enum ListenerProtocol: String, Sendable, CaseIterable {
        /// HTTP without TLS.
        case http = "HTTP"
        /// HTTP over TLS that ends at the gateway.
        case https = "HTTPS"
    }

    /// The namespaces whose routes a listener takes (`allowedRoutes.namespaces.from`).
    package enum RouteNamespaces: String, Sendable, CaseIterable {
        /// Every namespace.
        case all = "All"
        /// The gateway's own namespace.
        case same = "Same"
        /// No namespace.
        case none = "None"
    }

    /// One port, protocol and host name.
    package struct Listener: Sendable {
        /// The listener's name, unique in the gateway.
        package let name: String
        /// The protocol.
        package let listenerProtocol: ListenerProtocol
        /// The TCP port, 1 to 65,535.
        package let port: Int
        /// The host name that requests must have, possibly with a wildcard; `nil` for any.
        package let hostname: String?
        /// The Secrets of the TLS certificates, at least one for HTTPS.
        package let certificates: [ResourceReference]
        /// Whose routes may attach.
        package let routeNamespaces: RouteNamespaces
        /// Where the listener stands.
        package let position: SourcePosition
        /// Its path in the document.
        package let path: String
    }

    /// An address to listen on.
    package struct Address: Hashable, Sendable {
        /// An IP address without brackets, or a host name to resolve.
        package let value: String
        /// Where it stands.
        package let position: SourcePosition
    }

    /// What identifies the gateway.
    package let metadata: ResourceMetadata
    /// The listeners in written order.
    package let listeners: [Listener]
    /// The addresses to bind; none means all interfaces.
    package let addresses: [Address]

    init(decoding document: ParameterDecoder, metadata: ResourceMetadata) {
        self.metadata = metadata
        let spec = document.requiredObject("spec")
        document.accept("status")
        // Names the controller that a cluster would choose; a file is already in this one's hands.
        spec.accept("gatewayClassName")
        spec.acceptWithoutEffect(
            "infrastructure", "defaultScope", because: "it configures what a cluster creates for a Gateway"
        )
        for key in ["backendTLS", "tls", "allowedListeners"] where spec.contains(key) {
            spec.report("\(key) is not supported", at: key)
        }
        let namespace = metadata.id.namespace
        listeners = spec.objects("listeners").map { Self.listener($0, namespace: namespace) }
        if listeners.isEmpty { spec.report("a Gateway needs a listener", at: "listeners") }
        addresses = spec.objects("addresses").compactMap(Self.address)
    }

    private static func listener(_ decoder: ParameterDecoder, namespace: String) -> Listener {
        let name = decoder.requiredName("name")
        let listenerProtocol = listenerProtocol(decoder)
        let port = decoder.requiredInt("port", in: 1...65_535)
        let hostname = decoder.string("hostname")
        if let hostname, !NameSyntax.isRouteHostname(hostname) {
            let message =
                "\(ConfigurationProblem.quoted(hostname)) is not a host name such as \"a.example\" or \"*.example\""
            decoder.report(message, at: "hostname")
        }
        var certificates: [ResourceReference] = []
        if let tls = decoder.object("tls") {
            certificates = self.certificates(tls, namespace: namespace)
            if listenerProtocol == .http { decoder.report("a listener for HTTP has no TLS", at: "tls") }
        } else if listenerProtocol == .https {
            decoder.report("a listener for HTTPS needs tls.certificateRefs")
        }
        return Listener(
            name: name,
            listenerProtocol: listenerProtocol,
            port: port,
            hostname: hostname,
            certificates: certificates,
            routeNamespaces: decoder.object("allowedRoutes").map(routeNamespaces) ?? .same,
            position: decoder.position,
            path: decoder.path
        )
    }

    private static func listenerProtocol(_ decoder: ParameterDecoder) -> ListenerProtocol {
        let text = decoder.requiredString("protocol")
        if let known = ListenerProtocol(rawValue: text) { return known }
        if !text.isEmpty {
            decoder.report(
                "\(ConfigurationProblem.quoted(text)) is not one of HTTP, HTTPS", at: "protocol",
                candidates: ListenerProtocol.allCases.map(\.rawValue), name: text
            )
        }
        return .http
    }

    private static func certificates(_ tls: ParameterDecoder, namespace: String) -> [ResourceReference] {
        if tls.string("mode", default: "Terminate") != "Terminate" {
            tls.report("TLS can only be terminated at the gateway: mode must be \"Terminate\"", at: "mode")
        }
        // Ignoring this one would let in clients that the author wanted to keep out.
        if tls.contains("frontendValidation") {
            tls.report("validation of client certificates is not supported", at: "frontendValidation")
        }
        tls.acceptWithoutEffect("options", because: "no TLS option of an implementation is known here")
        let references = tls.objects("certificateRefs").map { reference in
            if reference.string("kind", default: "Secret") != "Secret"
                || !reference.string("group", default: "").isEmpty
            {
                reference.report("a certificate must be a Secret of the core group", at: "kind")
            }
            return ResourceReference(
                target: ResourceName(
                    namespace: reference.namespace(default: namespace),
                    name: reference.requiredName("name")
                ),
                position: reference.position(of: "name"),
                path: reference.path(of: "name")
            )
        }
        if references.isEmpty { tls.report("a listener for HTTPS needs a certificate", at: "certificateRefs") }
        return references
    }

    private static func routeNamespaces(_ allowed: ParameterDecoder) -> RouteNamespaces {
        let kinds = allowed.objects("kinds").map { kind in
            (group: kind.string("group", default: APIGroup.gateway), kind: kind.requiredString("kind"))
        }
        if !kinds.isEmpty, !kinds.contains(where: { $0.group == APIGroup.gateway && $0.kind == "HTTPRoute" }) {
            allowed.report("only routes of kind HTTPRoute can attach", at: "kinds")
        }
        guard let namespaces = allowed.object("namespaces") else { return .same }
        namespaces.accept("selector")
        if namespaces.string("from") == "Selector" {
            namespaces.report("namespaces cannot be selected by label, use one of All, Same, None", at: "from")
            return .same
        }
        return namespaces.enumeration("from", default: RouteNamespaces.same)
    }

    private static func address(_ decoder: ParameterDecoder) -> Address? {
        let type = decoder.string("type", default: "IPAddress")
        let value = decoder.requiredString("value")
        guard !value.isEmpty else { return nil }
        let kind = HostAddress(value)
        switch (type, kind) {
        case ("IPAddress", .ipv4), ("IPAddress", .ipv6), ("Hostname", .dnsName): break
        case ("IPAddress", _), ("Hostname", _):
            decoder.report("\(ConfigurationProblem.quoted(value)) is not of type \(type)", at: "value")
        default:
            let message = "\(ConfigurationProblem.quoted(type)) is not one of IPAddress, Hostname"
            decoder.report(message, at: "type", candidates: ["IPAddress", "Hostname"], name: type)
        }
        return Address(value: value, position: decoder.position(of: "value"))
    }
}
