import GatewayCore

extension HTTPRouteResource {
    /// How a path is compared.
    package enum PathMatchType: String, Sendable, CaseIterable {
        /// The whole path, byte by byte.
        case exact = "Exact"
        /// Whole segments at the start: `/v1` matches `/v1` and `/v1/chat`, not `/v10`.
        case pathPrefix = "PathPrefix"
        /// A regular expression of the implementation's syntax over the whole path.
        case regularExpression = "RegularExpression"
    }

    /// How a header field or a query parameter is compared.
    package enum ValueMatchType: String, Sendable, CaseIterable {
        /// The whole value, byte by byte.
        case exact = "Exact"
        /// A regular expression of the implementation's syntax over the whole value.
        case regularExpression = "RegularExpression"
    }

    /// The request methods that a match may name.
    package enum Method: String, Sendable, CaseIterable {
        case get = "GET"
        case head = "HEAD"
        case post = "POST"
        case put = "PUT"
        case delete = "DELETE"
        case connect = "CONNECT"
        case options = "OPTIONS"
        case trace = "TRACE"
        case patch = "PATCH"
    }

    /// A named value that must be there.
    package struct ValueMatch: Hashable, Sendable {
        /// How the value is compared.
        package let type: ValueMatchType
        /// The name: of a header field without regard to case, of a query parameter exactly.
        package let name: String
        /// The value or the regular expression, which is not compiled here.
        package let value: String
    }

    /// Conditions of which all must hold.
    package struct Match: Hashable, Sendable {
        /// How the path is compared.
        package let pathType: PathMatchType
        /// The path, prefix or regular expression, which is not compiled here.
        package let path: String
        /// The header fields.
        package let headers: [ValueMatch]
        /// The query parameters.
        package let queryParameters: [ValueMatch]
        /// The request method; `nil` for any.
        package let method: Method?

        /// What a rule without matches matches: every path.
        static let everything = Match(
            pathType: .pathPrefix, path: "/", headers: [], queryParameters: [], method: nil
        )
    }
}

extension HTTPRouteResource.Match {
    init(decoding decoder: ParameterDecoder) {
        let path = decoder.object("path")
        let pathType = path?.enumeration("type", default: HTTPRouteResource.PathMatchType.pathPrefix) ?? .pathPrefix
        let pathValue = path?.string("value") ?? "/"
        if let path { Self.check(pathValue, type: pathType, in: path) }
        self.init(
            pathType: pathType,
            path: pathValue,
            headers: Self.values(decoder, key: "headers", areHeaders: true),
            queryParameters: Self.values(decoder, key: "queryParams", areHeaders: false),
            method: decoder.enumeration("method", of: HTTPRouteResource.Method.self)
        )
    }

    /// The Gateway API's rules for paths: absolute, and in the normal form that request paths are compared in.
    private static func check(_ path: String, type: HTTPRouteResource.PathMatchType, in decoder: ParameterDecoder) {
        let quoted = ConfigurationProblem.quoted(path)
        guard (1...1_024).contains(path.utf8.count) else {
            decoder.report("a path has 1 to 1024 bytes, this one has \(path.utf8.count)", at: "value")
            return
        }
        guard type != .regularExpression else { return }
        guard path.hasPrefix("/") else {
            decoder.report("the path \(quoted) must start with \"/\"", at: "value")
            return
        }
        for forbidden in ["//", "/./", "/../", "%2f", "%2F", "#"] where path.contains(forbidden) {
            decoder.report("the path \(quoted) must not contain \"\(forbidden)\"", at: "value")
        }
        for forbidden in ["/.", "/.."] where path.hasSuffix(forbidden) {
            decoder.report("the path \(quoted) must not end with \"\(forbidden)\"", at: "value")
        }
    }

    private static func values(
        _ decoder: ParameterDecoder,
        key: String,
        areHeaders: Bool
    ) -> [HTTPRouteResource.ValueMatch] {
        var seen: Set<String> = []
        return decoder.objects(key).map { entry in
            let name = entry.requiredString("name")
            if !name.isEmpty, !NameSyntax.isHTTPToken(name) {
                entry.report("\(ConfigurationProblem.quoted(name)) is not a name of HTTP token characters", at: "name")
            }
            if !seen.insert(areHeaders ? name.lowercased() : name).inserted {
                entry.report("\(ConfigurationProblem.quoted(name)) is matched twice", at: "name")
            }
            return HTTPRouteResource.ValueMatch(
                type: entry.enumeration("type", default: .exact),
                name: name,
                value: entry.requiredString("value")
            )
        }
    }
}
