package import GatewayCore
package import RequestControl

/// What `martlet serve` was told on its command line.
package struct ServeOptions: Sendable {
    /// Where clients connect, as `host:port`; `nil` when the flag was not given.
    package var listen: String?
    /// Where metrics, health and state are served, as `host:port`.
    package var admin = "127.0.0.1:9090"
    /// A file or folder of resources.
    package var configurationPath: String?
    /// Endpoints as `[NAME=]URL`.
    package var endpoints: [String] = []
    /// How many simulated model servers to start and use.
    package var simulated = 0
    /// Whether responses tell who served them; `nil` for the default: only with simulated servers.
    package var servedHeader: Bool?
    /// The bounds on what clients send.
    package var limits = GatewayLimits()
    /// When failed requests are sent to another endpoint.
    package var retry = RetryPolicy()
    /// How long running requests may take after SIGTERM.
    package var drainTimeout = Duration.seconds(30)
    /// How often endpoints are asked for their metrics; at least 50 ms.
    package var scrapeInterval = Duration.milliseconds(50)
    /// Event loops; `nil` for one per processor.
    package var threads: Int?
    /// The log level: trace, debug, info, notice, warning, error or critical.
    package var logLevel = "info"
    /// The seed of random choices; `nil` for one that differs with each start.
    package var seed: UInt64?
    /// Whether plugins that may still change are allowed.
    package var allowsExperimentalPlugins = false
    /// Whether the certificates of endpoints that speak TLS are checked.
    package var verifiesEndpointCertificates = true

    /// The defaults.
    package init() {}

    /// The address that is listened on when nothing else says where.
    static let defaultListen = "127.0.0.1:8080"
}

/// Why a command cannot do what it was told. The message is the whole answer to the user.
package struct CommandError: Error, Hashable, Sendable, CustomStringConvertible {
    /// One or more full sentences.
    package let description: String

    /// Makes an error.
    package init(_ description: String) {
        self.description = description
    }
}

/// A host and a port to bind.
struct BindAddress: Hashable, Sendable, CustomStringConvertible {
    let host: String
    let port: Int

    init(host: String, port: Int) {
        self.host = host
        self.port = port
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
