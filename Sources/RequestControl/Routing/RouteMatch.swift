import GatewayCore

/// How a text of a request is compared.
package enum TextMatch: Sendable {
    /// Equal, with case.
    case exact(String)
    /// The whole text matches the expression.
    case regularExpression(LinearRegex)

    func matches(_ text: String) -> Bool {
        switch self {
        case .exact(let expected): text == expected
        case .regularExpression(let expression): expression.matches(text)
        }
    }
}

/// How the path of a request is compared.
package enum PathMatch: Sendable {
    /// Equal, with case.
    case exact(String)
    /// Equal or below, by whole path elements. A trailing slash of the prefix does not matter.
    case prefix(String)
    /// The whole path matches the expression.
    case regularExpression(LinearRegex)

    func matches(_ path: Substring) -> Bool {
        switch self {
        case .exact(let expected):
            return path == expected
        case .prefix(let prefix):
            let bytes = prefix.utf8
            let length = bytes.last == UInt8(ascii: "/") ? bytes.count - 1 : bytes.count
            guard path.utf8.count >= length, path.utf8.starts(with: bytes.prefix(length)) else { return false }
            return path.utf8.count == length || path.utf8.dropFirst(length).first == UInt8(ascii: "/")
        case .regularExpression(let expression):
            return expression.matches(String(path))
        }
    }

    /// Gateway API precedence of path matches: exact, then regular expressions (whose place the standard leaves to us),
    /// then prefixes; within a kind longer before shorter.
    var precedence: (kind: Int, length: Int) {
        switch self {
        case .exact(let path): (2, path.utf8.count)
        case .regularExpression(let expression): (1, expression.pattern.utf8.count)
        case .prefix(let prefix): (0, prefix.utf8.count)
        }
    }
}

/// A named text of a request, a header or a query parameter, and how it is compared.
package struct NamedMatch: Sendable {
    /// The header's or parameter's name.
    package let name: String
    /// How its value is compared.
    package let match: TextMatch

    /// Makes a match.
    package init(name: String, match: TextMatch) {
        self.name = name
        self.match = match
    }
}

/// What a request must have for a rule to apply; everything given must hold.
package struct RouteMatch: Sendable {
    /// The path. Default: every path.
    package var path: PathMatch
    /// The method; `nil` for any.
    package var method: String?
    /// Header fields; the model headers of body-based routing are matched like any other.
    package var headers: [NamedMatch]
    /// Query parameters; the first of a name counts.
    package var queryParameters: [NamedMatch]

    /// Makes a match; without arguments it matches every request.
    package init(
        path: PathMatch = .prefix("/"),
        method: String? = nil,
        headers: [NamedMatch] = [],
        queryParameters: [NamedMatch] = []
    ) {
        self.path = path
        self.method = method
        self.headers = headers
        self.queryParameters = queryParameters
    }

    func matches(_ request: IncomingRequest) -> Bool {
        if let method, method != request.method { return false }
        guard path.matches(request.path) else { return false }
        for header in headers {
            guard let value = request.headers.first(named: header.name), header.match.matches(value) else {
                return false
            }
        }
        for parameter in queryParameters {
            guard let value = request.firstQueryValue(parameter.name), parameter.match.matches(value) else {
                return false
            }
        }
        return true
    }

    /// Whether this match comes before `other` by the precedence of Gateway API's `HTTPRouteRule`; `nil` for a tie.
    func precedes(_ other: RouteMatch) -> Bool? {
        if path.precedence.kind != other.path.precedence.kind {
            return path.precedence.kind > other.path.precedence.kind
        }
        if path.precedence.length != other.path.precedence.length {
            return path.precedence.length > other.path.precedence.length
        }
        if (method == nil) != (other.method == nil) { return method != nil }
        if headers.count != other.headers.count { return headers.count > other.headers.count }
        if queryParameters.count != other.queryParameters.count {
            return queryParameters.count > other.queryParameters.count
        }
        return nil
    }
}

extension IncomingRequest {
    /// The value of the first query parameter called `name`, percent-decoded; `nil` when there is none.
    func firstQueryValue(_ name: String) -> String? {
        guard let start = target.utf8.firstIndex(of: UInt8(ascii: "?")) else { return nil }
        for pair in target[target.index(after: start)...].split(separator: "&", omittingEmptySubsequences: true) {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts[0].percentDecoded(plusIsSpace: true) == name else { continue }
            return parts.count == 2 ? parts[1].percentDecoded(plusIsSpace: true) : ""
        }
        return nil
    }
}
