package import GatewayCore

/// One endpoint of an endpoint list (`kind: Endpoints`).
package struct EndpointEntry: Sendable {
    /// What identifies the endpoint.
    package let id: ResourceName
    /// An IPv4 or IPv6 address without brackets, or a name to resolve.
    package let host: String
    /// The TCP port, 1 to 65,535.
    package let port: Int
    /// Whether the endpoint speaks TLS (`scheme: https`).
    package let isSecure: Bool
    /// The labels that pools select by.
    package let labels: [String: String]
    /// Where the entry stands.
    package let position: SourcePosition
    /// Its path in the document.
    package let path: String

    /// Reads the list `endpoints` of `document`.
    static func decode(_ document: ParameterDecoder) -> [EndpointEntry] {
        if document.contains("subsets") {
            document.report("this is a Kubernetes Endpoints object, not an endpoint list", at: "subsets")
        }
        _ = ResourceMetadata(decodingOptionally: document)
        return document.objects("endpoints").map(EndpointEntry.init(decoding:))
    }

    /// What is wrong with entries that have the name of an earlier one.
    static func duplicates(in entries: [EndpointEntry]) -> [ConfigurationProblem] {
        var seen: [ResourceName: SourcePosition] = [:]
        return entries.compactMap { entry in
            guard let first = seen.updateValue(entry.position, forKey: entry.id) else { return nil }
            let message = "a second endpoint \(entry.id); the first is at \(first)"
            return ConfigurationProblem(position: entry.position, path: entry.path, message: message)
        }
    }

    private init(decoding decoder: ParameterDecoder) {
        id = ResourceName(namespace: decoder.namespace(), name: decoder.requiredName("name"))
        host = decoder.requiredString("address")
        if !host.isEmpty, HostAddress(host) == nil {
            let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
            let quoted = ConfigurationProblem.quoted(host)
            let reason = isBracketed ? "; an IPv6 address has no brackets here" : ""
            decoder.report("\(quoted) is not an IPv4 or IPv6 address or a DNS name\(reason)", at: "address")
        }
        port = Self.port(decoder)
        isSecure = decoder.enumeration("scheme", default: Scheme.http) == .https
        labels = decoder.labels("labels")
        position = decoder.position
        path = decoder.path
    }

    private enum Scheme: String, CaseIterable {
        case http
        case https
    }

    /// The port, a number or, as in the file-discovery format, text.
    private static func port(_ decoder: ParameterDecoder) -> Int {
        guard let value = decoder.value("port"), case .string(let text) = value.content else {
            return decoder.requiredInt("port", in: 1...65_535)
        }
        guard text.utf8.allSatisfy(NameSyntax.isDigit), let port = UInt16(text), port > 0 else {
            decoder.report("\(value) is not a port in 1 to 65535", at: "port", value: value)
            return 1
        }
        return Int(port)
    }
}
