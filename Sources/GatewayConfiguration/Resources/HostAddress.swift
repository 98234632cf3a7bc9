/// The kinds of host that an endpoint or a gateway may have.
enum HostAddress: Equatable, Sendable {
    /// Four decimal numbers (RFC 3986, section 3.2.2): no leading zeros, which some resolvers read as octal.
    case ipv4
    /// RFC 4291 text, optionally with a zone (`%eth0`).
    case ipv6
    /// A name to resolve: DNS labels; the last one is not a number.
    case dnsName

    /// The kind of `text`; `nil` when it is none of them. An IPv6 address has no brackets here.
    init?(_ text: String) {
        if Self.isIPv4(text[...]) {
            self = .ipv4
        } else if Self.isIPv6(text) {
            self = .ipv6
        } else if Self.isDNSName(text) {
            self = .dnsName
        } else {
            return nil
        }
    }

    private static func isIPv4(_ text: Substring) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                (1...3).contains(part.utf8.count) && part.utf8.allSatisfy(NameSyntax.isDigit)
                    && (part.utf8.count == 1 || part.utf8.first != UInt8(ascii: "0")) && UInt8(part) != nil
            }
    }

    private static func isIPv6(_ text: String) -> Bool {
        let zoned = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = zoned.first, address.utf8.contains(UInt8(ascii: ":")) else { return false }
        if zoned.count == 2, zoned[1].isEmpty || !zoned[1].utf8.allSatisfy(isZoneByte) { return false }
        guard let gap = address.firstRange(of: "::") else { return groups(address, mayEndInIPv4: true) == 8 }
        let before = address[..<gap.lowerBound]
        let after = address[gap.upperBound...]
        guard let left = before.isEmpty ? 0 : groups(before, mayEndInIPv4: false),
            let right = after.isEmpty ? 0 : groups(after, mayEndInIPv4: true)
        else { return false }
        return left + right <= 7
    }

    /// How many groups of 16 bits `text` writes; `nil` when it does not.
    private static func groups(_ text: Substring, mayEndInIPv4: Bool) -> Int? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        var count = 0
        for (index, part) in parts.enumerated() {
            if mayEndInIPv4, index == parts.count - 1, isIPv4(part) {
                count += 2
            } else {
                guard (1...4).contains(part.utf8.count), part.allSatisfy({ $0.isASCII && $0.isHexDigit }) else {
                    return nil
                }
                count += 1
            }
        }
        return count
    }

    private static func isZoneByte(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: "]") && byte != UInt8(ascii: "/")
    }

    private static func isDNSName(_ text: String) -> Bool {
        // Names are compared without case and may be written with the root's dot.
        let name = text.hasSuffix(".") ? text.dropLast() : text[...]
        let labels = name.lowercased().split(separator: ".", omittingEmptySubsequences: false)
        guard let last = labels.last, !last.utf8.allSatisfy(NameSyntax.isDigit) else { return false }
        return name.utf8.count <= 253
            && labels.allSatisfy { label in
                // Service names with underscores exist in container networks, though not in RFC 1123.
                NameSyntax.isDNSLabel(label.replacing("_", with: "-"))
            }
    }
}
