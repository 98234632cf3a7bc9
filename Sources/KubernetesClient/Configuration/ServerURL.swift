import FoundationEssentials

/// The URL of an API server.
package struct ServerURL: Hashable, Sendable, CustomStringConvertible {
    /// Whether TLS is spoken.
    package let isSecure: Bool
    /// A name or an IP address, without brackets.
    package let host: String
    /// The port.
    package let port: Int
    /// What stands before the paths of the API, percent-encoded; empty, or begins with `/` and does not end with it.
    package let path: String

    /// Makes a URL of parts.
    package init(isSecure: Bool, host: String, port: Int, path: String = "") {
        self.isSecure = isSecure
        self.host = host
        self.port = port
        self.path = path
    }

    /// Reads a URL, or a host with or without a port, as `server` of a kubeconfig file may have it.
    ///
    /// - Parameter isSecureByDefault: whether TLS is spoken with a host without a scheme.
    /// - Throws: ``URLProblem`` with what is wrong.
    package init(_ text: String, isSecureByDefault: Bool = true) throws(URLProblem) {
        let hasScheme = text.contains("://")
        let parts = try URLParts(hasScheme ? text : (isSecureByDefault ? "https://" : "http://") + text)
        guard parts.scheme == "https" || parts.scheme == "http" else {
            throw URLProblem("the scheme of '\(shownURL(text))' is not http or https")
        }
        guard parts.user == nil, parts.password == nil else {
            throw URLProblem("'\(shownURL(text))' holds a user; the credentials belong to the user's entry")
        }
        var path = parts.path
        while path.hasSuffix("/") { path.removeLast() }
        guard hasScheme || path.isEmpty else {
            throw URLProblem("'\(shownURL(text))' must be a URL, or a host with a port")
        }
        isSecure = parts.scheme == "https"
        host = parts.host
        port = parts.port ?? (isSecure ? 443 : 80)
        self.path = path
    }

    /// The host, and the port unless it is the one of the scheme, as the `Host` field has them (RFC 9110 §7.2).
    package var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    package var description: String { "\(isSecure ? "https" : "http")://\(authority)\(path)" }
}

/// The URL of a proxy between the client and an API server.
package struct ProxyURL: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    /// How the proxy is asked for a connection.
    package enum Kind: String, Sendable {
        /// By `CONNECT` (RFC 9110 §9.3.6).
        case http
        /// By SOCKS 5 (RFC 1928), without authentication.
        case socks5
    }

    /// How the proxy is asked.
    package let kind: Kind
    /// A name or an IP address, without brackets.
    package let host: String
    /// The port.
    package let port: Int
    /// Who asks, for an HTTP proxy.
    package let user: String?
    /// The user's password.
    package let password: String?
    /// The URL as it was written, with the password.
    let written: String

    /// Reads a URL, as `proxy-url` of a kubeconfig file has it.
    ///
    /// - Throws: ``URLProblem`` with what is wrong, which is also that TLS to the proxy and users of SOCKS are not
    ///   supported.
    package init(_ text: String) throws(URLProblem) {
        guard text.contains("://") else {
            throw URLProblem("'\(shownURL(text))' is not a URL; it must begin with http:// or socks5://")
        }
        let parts = try URLParts(text)
        let url = shownURL(text)
        switch parts.scheme {
        case "http": kind = .http
        case "socks5": kind = .socks5
        case "https": throw URLProblem("'\(url)': TLS to a proxy is not supported, only http and socks5 are")
        default: throw URLProblem("the scheme of '\(url)' is not http or socks5")
        }
        guard kind == .http || (parts.user == nil && parts.password == nil) else {
            throw URLProblem("'\(url)': a user of a SOCKS proxy is not supported")
        }
        host = parts.host
        port = parts.port ?? (kind == .http ? 80 : 1080)
        user = parts.user
        password = parts.password
        written = text
    }

    /// The URL without the user.
    package var description: String {
        "\(kind.rawValue)://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }
    package var debugDescription: String { description }
}

/// What is wrong with a URL, as the end of a sentence.
package struct URLProblem: Error, Hashable, Sendable {
    /// What is wrong, with the URL; without its password.
    package let reason: String

    package init(_ reason: String) {
        self.reason = reason
    }
}

/// What texts show of something that should be a URL: not what stands between its scheme and its last `@`, which may be
/// a password, however odd the rest is.
private func shownURL(_ text: String) -> String {
    guard let end = text.lastIndex(of: "@") else { return text }
    let scheme = text[..<end].firstRange(of: "://").map { text[..<$0.upperBound] } ?? ""
    return scheme.count > "socks5://".count ? "…" + text[end...] : scheme + "…" + text[end...]
}

/// The parts of a URL that say where a connection goes.
private struct URLParts {
    let scheme: String
    let host: String
    let port: Int?
    let user: String?
    let password: String?
    /// Percent-encoded.
    let path: String

    init(_ text: String) throws(URLProblem) {
        guard let components = URLComponents(string: text), let scheme = components.scheme else {
            throw URLProblem("'\(shownURL(text))' is not a URL")
        }
        let shown = shownURL(text)
        guard var host = components.host, !host.isEmpty else {
            throw URLProblem("'\(shown)' has no host")
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        if let port = components.port, !(1...65_535).contains(port) {
            throw URLProblem("'\(shown)': \(port) is not a port")
        }
        guard components.query == nil, components.fragment == nil else {
            throw URLProblem("'\(shown)' has a query or a fragment, which mean nothing here")
        }
        self.scheme = scheme.lowercased()
        self.host = host
        port = components.port
        user = components.user
        password = components.password
        path = components.percentEncodedPath
    }
}
