import GatewayCore

/// The value of a flag such as `--endpoint`: `[NAME=]URL`.
struct EndpointArgument {
    let name: String?
    let address: EndpointAddress

    /// Reads the argument of `flag`.
    ///
    /// - Throws: ``CommandError`` with the flag, the text and what is wrong with it.
    init(_ text: String, flag: String = "--endpoint") throws(CommandError) {
        var rest = Substring(text)
        if let equals = text.firstIndex(of: "="),
            text[..<equals].allSatisfy({ $0.isLetter || $0.isNumber || "-_.".contains($0) })
        {
            name = String(text[..<equals])
            rest = text[text.index(after: equals)...]
            if name?.isEmpty == true { throw CommandError("\(flag) '\(text)' has no name in front of '='.") }
        } else {
            name = nil
        }
        let isSecure: Bool
        if rest.hasPrefix("http://") {
            isSecure = false
            rest = rest.dropFirst("http://".count)
        } else if rest.hasPrefix("https://") {
            isSecure = true
            rest = rest.dropFirst("https://".count)
        } else {
            throw CommandError("\(flag) '\(text)' is not a URL that starts with http:// or https://.")
        }
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        if rest.contains("/") || rest.contains("?") {
            throw CommandError("\(flag) '\(text)' has a path; an endpoint is a scheme, a host and a port.")
        }
        address = try Self.address(rest, isSecure: isSecure, text: text, flag: flag)
    }

    private static func address(
        _ authority: Substring,
        isSecure: Bool,
        text: String,
        flag: String
    ) throws(CommandError) -> EndpointAddress {
        var host = authority
        var port = isSecure ? 443 : 80
        let hasBrackets = authority.hasPrefix("[")
        if let colon = authority.lastIndex(of: ":"), !hasBrackets || authority[..<colon].hasSuffix("]") {
            guard let number = UInt16(authority[authority.index(after: colon)...]), number > 0 else {
                throw CommandError("\(flag) '\(text)' has no port from 1 to 65535 behind its host.")
            }
            port = Int(number)
            host = authority[..<colon]
        }
        if hasBrackets {
            guard host.hasSuffix("]") else { throw CommandError("\(flag) '\(text)' has an unbalanced '['.") }
            host = host.dropFirst().dropLast()
        }
        if host.isEmpty { throw CommandError("\(flag) '\(text)' has no host.") }
        return EndpointAddress(host: String(host), port: port, isSecure: isSecure)
    }
}
