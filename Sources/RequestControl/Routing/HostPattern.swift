/// A hostname of a listener or a route: exact, or a wildcard for every name below a suffix.
package struct HostPattern: Hashable, Sendable {
    /// The name in lower case; for a wildcard the part behind `*`, which starts with a dot.
    private let name: String
    private let isWildcard: Bool

    /// The pattern as Gateway API writes it, in lower case.
    package var text: String { isWildcard ? "*\(name)" : name }

    /// Makes a pattern from `example.com` or `*.example.com`; case does not matter.
    package init(_ text: String) {
        let lowered = text.lowercased()
        isWildcard = lowered.hasPrefix("*.")
        name = isWildcard ? String(lowered.dropFirst()) : lowered
    }

    /// Whether `host`, in lower case and without port, is one of the pattern's names.
    ///
    /// A wildcard stands for one or more labels (Gateway API, `Hostname`): `*.example.com` holds `a.b.example.com` and
    /// not `example.com`.
    package func matches(_ host: String) -> Bool {
        isWildcard ? host.utf8.count > name.utf8.count && host.hasSuffix(name) : host == name
    }

    /// The names that both patterns hold, as a pattern; `nil` when there are none.
    package func intersection(_ other: HostPattern) -> HostPattern? {
        switch (isWildcard, other.isWildcard) {
        case (false, _): other.matches(name) ? self : nil
        case (true, false): matches(other.name) ? other : nil
        case (true, true): name.hasSuffix(other.name) ? self : other.name.hasSuffix(name) ? other : nil
        }
    }

    /// Orders patterns by Gateway API precedence: exact names before wildcards, then longer before shorter.
    package func precedes(_ other: HostPattern) -> Bool {
        if isWildcard != other.isWildcard { return !isWildcard }
        return name.utf8.count > other.name.utf8.count
    }
}
