/// How the gateway's own questions to endpoints are sent.
package struct EngineHTTPClientConfiguration: Hashable, Sendable {
    /// The most connections that are kept open per address while nobody uses them. Default 2: one for metrics, one for
    /// the model list.
    package var maxIdlePerAddress = 2
    /// The most connections that are kept open in all while nobody uses them. Default 4,096.
    package var maxIdle = 4_096
    /// How long a connection is kept open while nobody uses it, at least. Default 15 s.
    package var idleTimeout = Duration.seconds(15)
    /// Whether the certificates of secure endpoints must be valid and carry their name. Default true.
    package var verifiesCertificates = true
    /// A file of PEM certificates that endpoints' certificates are verified against; `nil`, the default, is the
    /// system's.
    package var caCertificatePath: String?

    /// The defaults.
    package init() {}
}
