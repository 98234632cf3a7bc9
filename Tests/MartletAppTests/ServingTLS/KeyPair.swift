import Crypto
import Foundation
import NIOSSL
import SwiftASN1
import X509

/// A key and a certificate for it that signs itself.
struct KeyPair {
    let certificate: NIOSSLCertificate
    let key: NIOSSLPrivateKey
    let certificateText: String
    let keyText: String

    init() throws {
        let signer = P256.Signing.PrivateKey()
        let name = try DistinguishedName { CommonName("test \(UUID().uuidString)") }
        let made = try Certificate(
            version: .v3,
            serialNumber: Certificate.SerialNumber(),
            publicKey: Certificate.PublicKey(signer.publicKey),
            notValidBefore: Date(timeIntervalSinceNow: -60),
            notValidAfter: Date(timeIntervalSinceNow: 3_600),
            issuer: name,
            subject: name,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
            },
            issuerPrivateKey: Certificate.PrivateKey(signer)
        )
        certificateText = try made.serializeAsPEM().pemString
        keyText = signer.pemRepresentation
        certificate = try NIOSSLCertificate(bytes: Array(certificateText.utf8), format: .pem)
        key = try NIOSSLPrivateKey(bytes: Array(keyText.utf8), format: .pem)
    }

    /// Writes `tls.crt` and `tls.key` into a folder of `folder`; its path.
    @discardableResult
    func write(to folder: TemporaryFolder, name: String) throws -> String {
        let path = try folder.makeFolder(name)
        try folder.write("\(name)/tls.crt", certificateText)
        try folder.write("\(name)/tls.key", keyText)
        return path
    }
}
