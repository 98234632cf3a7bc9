import NIOSSL

/// Makes what TLS needs out of a configuration: whom to trust and what to show.
struct TLSMaterial: Sendable {
    let trust: ServerTrust
    let certificate: ClientCredentials.Certificate?
    /// Whether the name in the server's certificate is checked by ``HostVerification``.
    let verifiesHostItself: Bool

    /// Whether anything is in files, which may change.
    var hasFiles: Bool {
        [trust.authorities, certificate?.chain, certificate?.key].contains { source in
            if case .file = source { true } else { false }
        }
    }

    /// Reads everything. Waits for the disk.
    ///
    /// - Throws: ``Problem`` for what cannot be read or is not PEM.
    func load() throws(Problem) -> TLSConfiguration {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if trust.skipsVerification {
            tls.certificateVerification = .none
        } else if verifiesHostItself {
            tls.certificateVerification = .noHostnameVerification
        }
        if let authorities = trust.authorities {
            tls.trustRoots = .certificates(try Self.certificates(authorities, "certificate authority"))
        }
        if let certificate {
            let pair = try Self.pair(
                chain: try Self.read(certificate.chain, "client certificate"),
                key: try Self.read(certificate.key, "client key"),
                of: "\(certificate.chain)"
            )
            tls.certificateChain = pair.chain.map { .certificate($0) }
            tls.privateKey = .privateKey(pair.key)
        }
        return tls
    }

    /// A certificate and its key.
    struct Pair: Sendable {
        let chain: [NIOSSLCertificate]
        let key: NIOSSLPrivateKey
    }

    /// Reads a certificate and its key out of PEM, and checks that they belong together.
    static func pair(chain: [UInt8], key: [UInt8], of source: String) throws(Problem) -> Pair {
        guard let certificates = try? NIOSSLCertificate.fromPEMBytes(chain), !certificates.isEmpty else {
            throw Problem(reason: "the client certificate in \(source) is not PEM")
        }
        guard let key = try? NIOSSLPrivateKey(bytes: key, format: .pem) else {
            throw Problem(reason: "the client key that belongs to \(source) is not PEM, or has a password")
        }
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.certificateChain = certificates.map { .certificate($0) }
        tls.privateKey = .privateKey(key)
        // While files are replaced, one may be new and the other old.
        guard (try? NIOSSLContext(configuration: tls)) != nil else {
            throw Problem(reason: "the client key does not belong to the client certificate in \(source)")
        }
        return Pair(chain: certificates, key: key)
    }

    private static func certificates(_ source: ByteSource, _ what: String) throws(Problem) -> [NIOSSLCertificate] {
        let bytes = try read(source, what)
        guard let certificates = try? NIOSSLCertificate.fromPEMBytes(bytes), !certificates.isEmpty else {
            throw Problem(reason: "the \(what) in \(source) is not PEM")
        }
        return certificates
    }

    private static func read(_ source: ByteSource, _ what: String) throws(Problem) -> [UInt8] {
        do { return try source.read() } catch {
            throw Problem(reason: "the \(what) in \(source): \(error.reason)")
        }
    }

    /// What is wrong with certificates or keys.
    struct Problem: Error, Hashable {
        let reason: String
    }
}
