package import GatewayCore

/// One weighted backend of a rule.
package struct RouteBackend: Sendable {
    /// The pool that serves the request.
    package let pool: PoolID
    /// The backend's share; 0 takes it out.
    package let weight: Int
    /// Header changes of this backend only.
    package let requestHeaders: HeaderMutation

    /// Makes a backend; `weight` is 0 or more.
    package init(pool: PoolID, weight: Int = 1, requestHeaders: HeaderMutation = HeaderMutation()) {
        self.pool = pool
        self.weight = weight
        self.requestHeaders = requestHeaders
    }
}

/// What happens to the requests that match.
package struct RouteRule: Sendable {
    /// Where to; by weight when there are several.
    package var backends: [RouteBackend]
    /// Changes to the request's header on its way up.
    package var requestHeaders: HeaderMutation
    /// Changes to the response's header on its way down.
    package var responseHeaders: HeaderMutation
    /// How long a client waits for its whole response; `nil` for no bound.
    package var requestTimeout: Duration?
    /// How long one attempt may take to answer whole; `nil` for no bound.
    package var backendTimeout: Duration?
    /// The retry policy of this rule; `nil` for the gateway's.
    package var retry: RetryPolicy?

    /// Makes a rule.
    package init(
        backends: [RouteBackend],
        requestHeaders: HeaderMutation = HeaderMutation(),
        responseHeaders: HeaderMutation = HeaderMutation(),
        requestTimeout: Duration? = nil,
        backendTimeout: Duration? = nil,
        retry: RetryPolicy? = nil
    ) {
        self.backends = backends
        self.requestHeaders = requestHeaders
        self.responseHeaders = responseHeaders
        self.requestTimeout = requestTimeout
        self.backendTimeout = backendTimeout
        self.retry = retry
    }

    /// The backend that `draw`, a uniform number in 0 ..< 1, falls on; `nil` when no backend has a weight.
    func backend(at draw: Double) -> RouteBackend? {
        guard backends.count != 1 else { return backends[0].weight > 0 ? backends[0] : nil }
        let total = backends.reduce(0) { $0 + $1.weight }
        guard total > 0 else { return nil }
        var rest = Int(draw * Double(total))
        for backend in backends {
            if rest < backend.weight { return backend }
            rest -= backend.weight
        }
        return backends.last { $0.weight > 0 }
    }
}

/// A route: hostnames and rules, attached to listeners.
package struct Route: Sendable {
    /// The hostnames; empty for every host.
    package let hostnames: [HostPattern]
    /// Matches and what to do, in the order of the resource. A rule without matches takes every request.
    package let rules: [(matches: [RouteMatch], rule: RouteRule)]

    /// Makes a route.
    package init(hostnames: [HostPattern] = [], rules: [(matches: [RouteMatch], rule: RouteRule)]) {
        self.hostnames = hostnames
        self.rules = rules
    }
}

/// Names a ``RouteTable``: the port that a Gateway listener asks for, or the one of a listener outside any Gateway.
package enum RouteTableKey: Hashable, Comparable, Sendable {
    /// Listeners that no Gateway resource describes.
    case standalone
    /// The Gateway listeners of a port.
    case port(Int)
}

/// The routes of one port, ordered so that the first match wins.
package struct RouteTable: Sendable {
    private struct Entry: Sendable {
        let host: HostPattern?
        let match: RouteMatch
        let rule: RouteRule

        /// Whether the request's host is one of the entry's; `host` caches the request's host in lower case.
        func holds(_ request: IncomingRequest, host: inout String?) -> Bool {
            guard let pattern = self.host else { return true }
            let name = host ?? request.authority.hostWithoutPort.lowercased()
            host = name
            return pattern.matches(name)
        }
    }

    private let entries: [Entry]
    /// Whether some rule looks at header fields; when none does, nobody needs to write the model's fields for matching.
    let looksAtHeaders: Bool

    /// Orders the routes of a port's listeners by Gateway API precedence: hostname, path, method, headers, query
    /// parameters, then the order of the routes (the caller sorts them by age and name) and of the rules in each.
    ///
    /// - Parameter listeners: each listener's hostname, `nil` for every host, and the routes that are attached to it.
    package init(listeners: [(host: HostPattern?, routes: [Route])]) {
        var entries: [Entry] = []
        for (listenerHost, routes) in listeners {
            for route in routes {
                let hosts = Self.hosts(of: route, on: listenerHost)
                for (matches, rule) in route.rules {
                    for match in matches.isEmpty ? [RouteMatch()] : matches {
                        entries += hosts.map { Entry(host: $0, match: match, rule: rule) }
                    }
                }
            }
        }
        // Swift does not promise a stable sort; the position decides ties.
        self.entries = entries.enumerated().sorted { left, right in
            Self.precedes(left.element, right.element) ?? (left.offset < right.offset)
        }.map(\.element)
        looksAtHeaders = entries.contains { !$0.match.headers.isEmpty }
    }

    /// One rule for everything: the table of a gateway without routes.
    package init(everythingTo pool: PoolID) {
        entries = [Entry(host: nil, match: RouteMatch(), rule: RouteRule(backends: [RouteBackend(pool: pool)]))]
        looksAtHeaders = false
    }

    /// What is asked of a request and where it goes then, for people: in the order in which the first one that matches
    /// wins. A host of `nil` is every host.
    package var rows: [(host: HostPattern?, match: RouteMatch, rule: RouteRule)] {
        entries.map { ($0.host, $0.match, $0.rule) }
    }

    /// The rule that serves `request`; `nil` when none matches.
    package func rule(for request: IncomingRequest) -> RouteRule? {
        var host: String?
        return entries.first { entry in
            entry.holds(request, host: &host) && entry.match.matches(request)
        }?.rule
    }

    /// The pools that some rule for this host and path leads to, whatever else the rule asks for: the pools whose
    /// models the client can choose from.
    package func pools(below request: IncomingRequest) -> [PoolID] {
        var host: String?
        var pools: [PoolID] = []
        for entry in entries where entry.holds(request, host: &host) && entry.match.path.matches(request.path) {
            for backend in entry.rule.backends where backend.weight > 0 && !pools.contains(backend.pool) {
                pools.append(backend.pool)
            }
        }
        return pools
    }

    private static func hosts(of route: Route, on listener: HostPattern?) -> [HostPattern?] {
        if route.hostnames.isEmpty { return [listener] }
        guard let listener else { return route.hostnames }
        // Typed, because an array of optionals would keep the hostnames without intersection, as routes for every host.
        let shared: [HostPattern] = route.hostnames.compactMap { $0.intersection(listener) }
        return shared
    }

    private static func precedes(_ left: Entry, _ right: Entry) -> Bool? {
        switch (left.host, right.host) {
        case (.some, nil): return true
        case (nil, .some): return false
        case (.some(let leftHost), .some(let rightHost)):
            if leftHost.precedes(rightHost) { return true }
            if rightHost.precedes(leftHost) { return false }
        case (nil, nil): break
        }
        return left.match.precedes(right.match)
    }
}

extension String {
    /// The host of an authority: without the port, and without the brackets of an IPv6 address.
    package var hostWithoutPort: String {
        if first == "[", let end = firstIndex(of: "]") { return String(self[index(after: startIndex)..<end]) }
        guard let colon = lastIndex(of: ":") else { return self }
        return String(self[..<colon])
    }
}
