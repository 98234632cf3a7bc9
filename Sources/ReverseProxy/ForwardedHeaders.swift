import GatewayCore
import NIOHTTP1

/// Which header fields cross the proxy, and which it writes itself.
enum ForwardedHeaders {
    /// The header of the request to an endpoint: the client's without hop-by-hop fields (RFC 9110, 7.6.1), with the
    /// exact length of the body that was read, the forwarding fields and the changes of the route.
    static func upstream(
        _ client: HTTPHeaders,
        bodyLength: Int,
        clientAddress: String,
        isSecure: Bool,
        mutations: [HeaderMutation]
    ) -> HTTPHeaders {
        let listed = connectionOptions(of: client)
        var headers = HTTPHeaders()
        headers.reserveCapacity(client.count + 6)
        var forwardedFor: String?
        var hasLength = false
        for (name, value) in client {
            switch kind(of: name) {
            case .hopByHop: continue
            case .framing: hasLength = true
            case .host: headers.add(name: name, value: value)
            case .forwardedFor: forwardedFor = forwardedFor.map { "\($0), \(value)" } ?? value
            case .endToEnd where listed.contains { name.equalsIgnoringASCIICase($0) }: continue
            case .endToEnd: headers.add(name: name, value: value)
            }
        }
        if hasLength || bodyLength > 0 { headers.add(name: "content-length", value: String(bodyLength)) }
        headers.add(name: "x-forwarded-for", value: forwardedFor.map { "\($0), \(clientAddress)" } ?? clientAddress)
        if !headers.contains(name: "x-forwarded-proto") {
            headers.add(name: "x-forwarded-proto", value: isSecure ? "https" : "http")
        }
        for mutation in mutations { apply(mutation, to: &headers) }
        return headers
    }

    /// The header of the response to the client: the endpoint's without hop-by-hop fields, with the changes of the
    /// route. `content-length` stays; a response without one is framed anew by the downstream encoder.
    static func downstream(_ endpoint: HTTPHeaders, mutation: HeaderMutation) -> HTTPHeaders {
        let listed = connectionOptions(of: endpoint)
        var headers = HTTPHeaders()
        headers.reserveCapacity(endpoint.count + 3)
        for (name, value) in endpoint {
            if kind(of: name) == .hopByHop { continue }
            if name.equalsIgnoringASCIICase("transfer-encoding") { continue }
            if !listed.isEmpty, listed.contains(where: { name.equalsIgnoringASCIICase($0) }) { continue }
            headers.add(name: name, value: value)
        }
        if !mutation.isEmpty { apply(mutation, to: &headers) }
        return headers
    }

    /// Applies a route's filter: set, then add, then remove.
    private static func apply(_ mutation: HeaderMutation, to headers: inout HTTPHeaders) {
        for field in mutation.set { headers.replaceOrAdd(name: field.name, value: field.value) }
        for field in mutation.add { headers.add(name: field.name, value: field.value) }
        for name in mutation.remove { headers.remove(name: name) }
    }

    /// The field names that the `connection` header lists as hop-by-hop.
    private static func connectionOptions(of headers: HTTPHeaders) -> [String] {
        guard headers.contains(name: "connection") else { return [] }
        return headers[canonicalForm: "connection"].map(String.init)
    }

    private enum Kind {
        case endToEnd
        /// Never hop-by-hop, whatever `connection` lists: a request without it is not valid.
        case host
        case hopByHop
        case framing
        case forwardedFor
    }

    /// Sorts a field by its name. The length decides for nearly all fields, so that nothing is compared byte by byte.
    private static func kind(of name: String) -> Kind {
        switch name.utf8.count {
        case 2 where name.equalsIgnoringASCIICase("te"): .hopByHop
        case 4 where name.equalsIgnoringASCIICase("host"): .host
        case 6 where name.equalsIgnoringASCIICase("expect"): .hopByHop
        case 7 where name.equalsIgnoringASCIICase("upgrade") || name.equalsIgnoringASCIICase("trailer"): .hopByHop
        case 10 where name.equalsIgnoringASCIICase("connection") || name.equalsIgnoringASCIICase("keep-alive"):
            .hopByHop
        case 14 where name.equalsIgnoringASCIICase("content-length"): .framing
        case 15 where name.equalsIgnoringASCIICase("x-forwarded-for"): .forwardedFor
        case 16 where name.equalsIgnoringASCIICase("proxy-connection"): .hopByHop
        case 17 where name.equalsIgnoringASCIICase("transfer-encoding"): .framing
        default: .endToEnd
        }
    }
}
