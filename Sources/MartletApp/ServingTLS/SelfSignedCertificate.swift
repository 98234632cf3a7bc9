import Crypto
import FoundationEssentials
import NIOSSL
import SwiftASN1
import X509

/// A certificate that signs itself, for clients that encrypt and do not ask who answers, as proxies do by default.
enum SelfSignedCertificate {
    /// How long it is valid: ten years.
    private static let lifetime: TimeInterval = 10 * 365 * 24 * 3_600
    /// The clock of a client may be behind ours.
    private static let clockError: TimeInterval = 3_600

    /// Makes a key of the curve P-256 and its certificate for this host.
    static func make() throws(CommandError) -> (chain: [NIOSSLCertificate], key: NIOSSLPrivateKey) {
        do {
            let key = P256.Signing.PrivateKey()
            let certificate = try certificate(of: key, hostName: ProcessInfo.processInfo.hostName, now: Date())
            var serializer = DER.Serializer()
            try serializer.serialize(certificate)
            return (
                [try NIOSSLCertificate(bytes: serializer.serializedBytes, format: .der)],
                try NIOSSLPrivateKey(bytes: Array(key.pemRepresentation.utf8), format: .pem)
            )
        } catch {
            throw CommandError("A certificate that signs itself cannot be made; give --cert-path: \(error).")
        }
    }

    private static func certificate(
        of key: P256.Signing.PrivateKey,
        hostName: String,
        now: Date
    ) throws -> Certificate {
        let name = try DistinguishedName { OrganizationName("Inference Ext") }
        var names: [GeneralName] = [
            .dnsName("localhost"), .ipAddress(ASN1OctetString(contentBytes: [127, 0, 0, 1])),
            .ipAddress(ASN1OctetString(contentBytes: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])),
        ]
        // The field takes ASCII only.
        if !hostName.isEmpty, hostName != "localhost", hostName.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) {
            names.append(.dnsName(hostName))
        }
        return try Certificate(
            version: .v3,
            serialNumber: Certificate.SerialNumber(),
            publicKey: Certificate.PublicKey(key.publicKey),
            notValidBefore: now.addingTimeInterval(-clockError),
            notValidAfter: now.addingTimeInterval(lifetime),
            issuer: name,
            subject: name,
            signatureAlgorithm: .ecdsaWithSHA256,
            // No key usage: one without the signing of certificates would keep it from being its own issuer for those
            // who trust it.
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                try ExtendedKeyUsage([.serverAuth])
                SubjectAlternativeNames(names)
            },
            issuerPrivateKey: Certificate.PrivateKey(key)
        )
    }
}
