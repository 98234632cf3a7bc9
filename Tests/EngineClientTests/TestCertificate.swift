import NIOSSL

/// A certificate for `localhost` and `127.0.0.1` that signed itself, valid until 2120. Its key is no secret.
enum TestCertificate {
    /// The file with the certificate.
    static let path = fixture("localhost.pem")

    /// What a server needs to use it.
    static func serverContext() throws -> NIOSSLContext {
        let certificates = try NIOSSLCertificate.fromPEMFile(path)
        let key = try NIOSSLPrivateKey(file: fixture("localhost-key.pem"), format: .pem)
        return try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: certificates.map { .certificate($0) },
                privateKey: .privateKey(key)
            )
        )
    }

    private static func fixture(_ name: String) -> String {
        #filePath.replacing("TestCertificate.swift", with: "Fixtures/\(name)")
    }
}
