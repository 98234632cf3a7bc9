/// How a cluster is reached: where its API server is, how the server is trusted and how the client shows who it is.
///
/// A value without any connection. Files that it names are read when they are needed, and again when they change.
package struct ClusterConfiguration: Hashable, Sendable {
    /// Where the API server is.
    package var server: ServerURL
    /// How the server shows who it is.
    package var trust: ServerTrust
    /// How the client shows who it is.
    package var credentials: ClientCredentials
    /// What connections to the server go through; `nil` for none.
    package var proxy: ProxyURL?
    /// The namespace that is meant when none is named.
    package var namespace: String
    /// Where all of this stood, in words for logs, such as `kubeconfig 'a', context 'b'`.
    package var source: String

    /// The namespace of a configuration that names none.
    package static let defaultNamespace = "default"

    /// Makes a configuration.
    package init(
        server: ServerURL,
        trust: ServerTrust = ServerTrust(),
        credentials: ClientCredentials = ClientCredentials(),
        proxy: ProxyURL? = nil,
        namespace: String = ClusterConfiguration.defaultNamespace,
        source: String
    ) {
        self.server = server
        self.trust = trust
        self.credentials = credentials
        self.proxy = proxy
        self.namespace = namespace
        self.source = source
    }
}

/// How an API server shows that it is the one that is meant.
package struct ServerTrust: Hashable, Sendable {
    /// The certificates that the server's chain must end in, in PEM; `nil` for those that the system trusts.
    package var authorities: ByteSource?
    /// Whether any server is believed, whatever it shows. Only for experiments.
    package var skipsVerification: Bool
    /// The name that the server's certificate must have; `nil` for the host of the server's URL.
    package var serverName: String?

    /// Trusts what the system trusts unless told otherwise.
    package init(authorities: ByteSource? = nil, skipsVerification: Bool = false, serverName: String? = nil) {
        self.authorities = authorities
        self.skipsVerification = skipsVerification
        self.serverName = serverName
    }
}

/// Bytes that stand in a configuration or in a file that it names.
package enum ByteSource: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    /// These bytes.
    case data([UInt8])
    /// The bytes of this file.
    case file(String)

    package var description: String {
        switch self {
        case .data(let bytes): "\(bytes.count) bytes of the configuration"
        case .file(let path): "'\(path)'"
        }
    }
    package var debugDescription: String { description }
}
