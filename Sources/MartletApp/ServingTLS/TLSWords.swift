import GatewayCore
import NIOSSL

/// Go's names of TLS versions and cipher suites, as flags and charts use them.
enum TLSWords {
    private static let versions: [(name: String, version: TLSVersion)] = [
        ("VersionTLS10", .tlsv1), ("VersionTLS11", .tlsv11), ("VersionTLS12", .tlsv12), ("VersionTLS13", .tlsv13),
    ]

    /// The suites that BoringSSL has, by their names of the IANA. Those of TLS 1.3 cannot be chosen.
    private static let suites: [(name: String, suite: NIOTLSCipher)] = [
        ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
        ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
        ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
        ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", .TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
        ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
        ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", .TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
        // What Go called them before the names were final.
        ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305", .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
        ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", .TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
        ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", .TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA),
        ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", .TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA),
        ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", .TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA),
        ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", .TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA),
        ("TLS_RSA_WITH_AES_128_GCM_SHA256", .TLS_RSA_WITH_AES_128_GCM_SHA256),
        ("TLS_RSA_WITH_AES_256_GCM_SHA384", .TLS_RSA_WITH_AES_256_GCM_SHA384),
        ("TLS_RSA_WITH_AES_128_CBC_SHA", .TLS_RSA_WITH_AES_128_CBC_SHA),
        ("TLS_RSA_WITH_AES_256_CBC_SHA", .TLS_RSA_WITH_AES_256_CBC_SHA),
    ]
    private static let fixedSuites = [
        "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
    ]

    /// The least version that `word` names; TLS 1.2 for an empty one.
    static func version(_ word: String) throws(CommandError) -> TLSVersion {
        if word.isEmpty { return .tlsv12 }
        guard let version = versions.first(where: { $0.name == word }) else {
            let known = versions.map(\.name).joined(separator: ", ")
            throw CommandError("--tls-min-version '\(word)' is not one of \(known).")
        }
        return version.version
    }

    /// The suites that `names` name, without those of TLS 1.3, which are always on.
    static func suites(_ names: [String]) throws(CommandError) -> [NIOTLSCipher] {
        var result: [NIOTLSCipher] = []
        for name in names where !fixedSuites.contains(name) {
            guard let suite = suites.first(where: { $0.name == name })?.suite else {
                let near = NearestName.find(name, in: suites.map(\.name) + fixedSuites)
                let hint = near.map { " (did you mean \($0)?)" } ?? ""
                throw CommandError("--tls-cipher-suites '\(name)' is not a suite that can be used\(hint).")
            }
            result.append(suite)
        }
        return result
    }
}
