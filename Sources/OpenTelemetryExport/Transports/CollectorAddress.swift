/// Where a collector is, as an environment variable writes it.
package struct CollectorAddress: Sendable, Hashable, CustomStringConvertible {
    /// Whether it speaks TLS; `nil` when the text does not say.
    package var isSecure: Bool?
    /// An address without brackets, or a name.
    package var host: String
    /// The port; `nil` when the text does not say.
    package var port: Int?
    /// The path with its slash in front; empty for none.
    package var path: String

    /// Reads `[http[s]://]HOST[:PORT][/PATH]`; `nil` for anything else.
    package init?(_ text: some StringProtocol) {
        var rest = Substring(text)
        isSecure = nil
        if let scheme = rest.firstRange(of: "://") {
            switch rest[..<scheme.lowerBound].lowercased() {
            case "http": isSecure = false
            case "https": isSecure = true
            default: return nil
            }
            rest = rest[scheme.upperBound...]
        }
        let pathStart = rest.firstIndex(of: "/") ?? rest.endIndex
        path = String(rest[pathStart...])
        rest = rest[..<pathStart]
        var portText: Substring?
        if rest.hasPrefix("[") {
            guard let end = rest.firstIndex(of: "]") else { return nil }
            host = String(rest[..<end].dropFirst())
            let behind = rest[rest.index(after: end)...]
            guard behind.isEmpty || behind.hasPrefix(":") else { return nil }
            if !behind.isEmpty { portText = behind.dropFirst() }
        } else {
            let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count <= 2 else { return nil }
            host = String(parts[0])
            if parts.count == 2 { portText = parts[1] }
        }
        port = nil
        if let portText {
            guard let number = Int(portText), (1...65_535).contains(number) else { return nil }
            port = number
        }
        let isClean = text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "@") }
        guard !host.isEmpty, isClean else { return nil }
    }

    /// The host and port as a header has them.
    package func authority(defaultPort: Int) -> String {
        (host.contains(":") ? "[\(host)]" : host) + ":\(port ?? defaultPort)"
    }

    package var description: String {
        let scheme = isSecure.map { $0 ? "https://" : "http://" } ?? ""
        return scheme + (host.contains(":") ? "[\(host)]" : host) + (port.map { ":\($0)" } ?? "") + path
    }
}
