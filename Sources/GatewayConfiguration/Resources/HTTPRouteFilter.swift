import GatewayCore

extension HTTPRouteResource {
    /// A header field to write.
    package struct HeaderField: Hashable, Sendable {
        /// The name.
        package let name: String
        /// The value.
        package let value: String
    }

    /// Changes of a header section. The names of one modifier differ from each other, so their order does not matter.
    package struct HeaderModifier: Hashable, Sendable {
        /// The fields that replace any of the same name.
        package let set: [HeaderField]
        /// The fields that are added to any of the same name.
        package let add: [HeaderField]
        /// The names of the fields that are removed.
        package let remove: [String]
    }

    /// A change of requests or responses on their way.
    package enum Filter: Hashable, Sendable {
        /// Changes the header section of the request before it is sent to the endpoint.
        case requestHeaders(HeaderModifier)
        /// Changes the header section of the response before it is sent to the client.
        case responseHeaders(HeaderModifier)
    }
}

extension HTTPRouteResource.Filter {
    /// The filters that the Gateway API knows, with the key of their settings.
    private enum FilterType: String, CaseIterable {
        case requestHeaderModifier = "RequestHeaderModifier"
        case responseHeaderModifier = "ResponseHeaderModifier"
        case requestMirror = "RequestMirror"
        case requestRedirect = "RequestRedirect"
        case urlRewrite = "URLRewrite"
        case cors = "CORS"
        case externalAuth = "ExternalAuth"
        case extensionRef = "ExtensionRef"

        var key: String {
            switch self {
            case .urlRewrite: "urlRewrite"
            case .cors: "cors"
            default: rawValue.prefix(1).lowercased() + rawValue.dropFirst()
            }
        }

        var isSupported: Bool {
            self == .requestHeaderModifier || self == .responseHeaderModifier
        }
    }

    /// The filters in the list at `key`. A type that exists but is not supported is refused, for a request that skips a
    /// filter is not what the author asked for.
    static func decode(_ decoder: ParameterDecoder, key: String) -> [HTTPRouteResource.Filter] {
        var seen: Set<FilterType> = []
        return decoder.objects(key).compactMap { entry in
            guard entry.contains("type") else {
                _ = entry.requiredString("type")
                return nil
            }
            let type = entry.enumeration("type", of: FilterType.self)
            for other in FilterType.allCases where other != type && entry.contains(other.key) {
                entry.report("does not belong to a filter of type \(type?.rawValue ?? "unknown")", at: other.key)
            }
            guard let type else { return nil }
            guard type.isSupported else {
                entry.accept(type.key)
                let message =
                    "filters of type \(type.rawValue) are not supported; supported are RequestHeaderModifier and "
                    + "ResponseHeaderModifier"
                entry.report(message, at: "type")
                return nil
            }
            if !seen.insert(type).inserted {
                entry.report("a rule can have one filter of type \(type.rawValue)", at: "type")
            }
            let modifier = modifier(entry.requiredObject(type.key))
            return type == .requestHeaderModifier ? .requestHeaders(modifier) : .responseHeaders(modifier)
        }
    }

    private static func modifier(_ decoder: ParameterDecoder) -> HTTPRouteResource.HeaderModifier {
        var seen: Set<String> = []
        func check(_ name: String, _ entry: ParameterDecoder, at key: String) {
            if !name.isEmpty, !NameSyntax.isHTTPToken(name) {
                entry.report("\(ConfigurationProblem.quoted(name)) is not a name of a header field", at: key)
            }
            if !seen.insert(name.lowercased()).inserted {
                entry.report("\(ConfigurationProblem.quoted(name)) is changed twice by one filter", at: key)
            }
        }
        func fields(_ key: String) -> [HTTPRouteResource.HeaderField] {
            decoder.objects(key).map { entry in
                let name = entry.requiredString("name")
                check(name, entry, at: "name")
                let value = entry.requiredString("value")
                if !NameSyntax.isHeaderValue(value) {
                    let quoted = ConfigurationProblem.quoted(value)
                    entry.report("\(quoted) has control characters or more than 4096 bytes", at: "value")
                }
                return HTTPRouteResource.HeaderField(name: name, value: value)
            }
        }
        let remove = decoder.strings("remove")
        for name in remove { check(name, decoder, at: "remove") }
        return HTTPRouteResource.HeaderModifier(set: fields("set"), add: fields("add"), remove: remove)
    }
}
