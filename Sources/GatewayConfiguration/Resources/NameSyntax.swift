import GatewayCore

/// The syntax of names in Kubernetes and Gateway API objects.
enum NameSyntax {
    /// A DNS label (RFC 1123): 1 to 63 of `a-z`, `0-9` and `-`, with a letter or digit at both ends.
    static func isDNSLabel(_ text: some StringProtocol) -> Bool {
        let bytes = Array(text.utf8)
        guard (1...63).contains(bytes.count), let first = bytes.first, let last = bytes.last else { return false }
        return isLowerAlphanumeric(first) && isLowerAlphanumeric(last)
            && bytes.allSatisfy { isLowerAlphanumeric($0) || $0 == UInt8(ascii: "-") }
    }

    /// DNS labels joined by dots, at most 253 characters: the names of most objects.
    static func isDNSSubdomain(_ text: some StringProtocol) -> Bool {
        text.utf8.count <= 253
            && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { isDNSLabel($0) }
    }

    /// A host name of a listener or a route: a DNS subdomain that is no IP address, optionally with `*.` before it.
    static func isRouteHostname(_ text: String) -> Bool {
        let name = text.hasPrefix("*.") ? text.dropFirst(2) : text[...]
        return isDNSSubdomain(name) && !(name.split(separator: ".").last?.utf8.allSatisfy(isDigit) ?? true)
    }

    /// A label's key: a name of up to 63 characters, optionally with a DNS subdomain and `/` before it.
    static func isLabelKey(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        switch parts.count {
        case 1: return !text.isEmpty && isLabelValue(parts[0])
        case 2: return isDNSSubdomain(parts[0]) && !parts[1].isEmpty && isLabelValue(parts[1])
        default: return false
        }
    }

    /// A label's value: empty, or up to 63 of `A-Z a-z 0-9 - _ .` with a letter or digit at both ends.
    static func isLabelValue(_ text: some StringProtocol) -> Bool {
        let bytes = Array(text.utf8)
        guard let first = bytes.first, let last = bytes.last else { return true }
        return bytes.count <= 63 && isAlphanumeric(first) && isAlphanumeric(last)
            && bytes.allSatisfy {
                isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".")
            }
    }

    /// An HTTP token (RFC 9110, section 5.6.2) of 1 to 256 characters: the names of header fields.
    static func isHTTPToken(_ text: String) -> Bool {
        (1...256).contains(text.utf8.count)
            && text.utf8.allSatisfy { isAlphanumeric($0) || "!#$%&'*+-.^_`|~".utf8.contains($0) }
    }

    /// A header field's value that can be sent as it is (RFC 9110, section 5.5): no control character but the tab, at
    /// most 4,096 bytes. A line break in here would let a configuration write further header fields.
    static func isHeaderValue(_ text: String) -> Bool {
        text.utf8.count <= 4_096 && text.utf8.allSatisfy { ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 }
    }

    static func isDigit(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }

    private static func isLowerAlphanumeric(_ byte: UInt8) -> Bool {
        isDigit(byte) || (byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z"))
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        isLowerAlphanumeric(byte) || (byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z"))
    }
}

extension ParameterDecoder {
    /// The text at `key`, which must be the name of an object: a DNS subdomain. Stand-in: `""`.
    func requiredName(_ key: String) -> String {
        let name = requiredString(key)
        if !name.isEmpty, !NameSyntax.isDNSSubdomain(name) {
            reportName(name, at: key, expected: "of lower-case letters, digits, '-' and '.'")
        }
        return name
    }

    /// The namespace at `key`; `fallback` when it is absent.
    func namespace(_ key: String = "namespace", default fallback: String = "default") -> String {
        guard let name = string(key) else { return fallback }
        if !NameSyntax.isDNSLabel(name) {
            reportName(name, at: key, expected: "of lower-case letters, digits and '-'")
        }
        return name
    }

    /// The labels at `key`, with keys and values of Kubernetes' syntax.
    func labels(_ key: String) -> [String: String] {
        let labels = stringMap(key)
        for name in labels.keys.sorted() {
            if !NameSyntax.isLabelKey(name) {
                report("\(ConfigurationProblem.quoted(name)) is not a label key", at: key)
            }
            if let value = labels[name], !NameSyntax.isLabelValue(value) {
                report("\(ConfigurationProblem.quoted(value)) is not a label value", at: key)
            }
        }
        return labels
    }

    private func reportName(_ name: String, at key: String, expected: String) {
        report("\(ConfigurationProblem.quoted(name)) is not a name \(expected)", at: key)
    }
}
