import NIOCore

/// A host and a port to bind.
struct BindAddress: Hashable, Sendable, CustomStringConvertible {
    let host: String
    let port: Int

    init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// The address that a socket has.
    init(_ address: SocketAddress) {
        self.init(host: address.ipAddress ?? "", port: address.port ?? 0)
    }

    /// Reads `host:port`, `[v6]:port` or `:port` for every IPv4 address of the machine.
    ///
    /// - Throws: ``CommandError`` with the flag's name and the text.
    init(_ text: String, flag: String) throws(CommandError) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            throw CommandError("\(flag) '\(text)' is not an address of the form HOST:PORT with a port from 0 to 65535.")
        }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            throw CommandError("\(flag) '\(text)': an IPv6 address must stand in brackets, as in [::1]:8080.")
        }
        self.host = host.isEmpty ? "0.0.0.0" : host
        self.port = Int(port)
    }

    var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
