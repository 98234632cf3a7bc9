import NIOCore
import NIOSSL

/// Checks that a server's certificate is for an IP address.
///
/// TLS below checks a certificate against the other end of the connection, which is the proxy when there is one. So
/// when a server is known by its address alone and reached through a proxy, TLS checks the chain only and the address
/// is checked here, before the first request is sent.
enum HostVerification {
    /// A certificate is not for the address.
    struct Failure: Error {
        let reason: String
    }

    /// Fails unless the certificate that `channel` was opened with is for `address`.
    static func verify(_ address: SocketAddress, on channel: any Channel) -> EventLoopFuture<Void> {
        channel.nioSSL_peerCertificate().flatMapThrowing { certificate in
            let host = address.ipAddress ?? ""
            guard let certificate else { throw Failure(reason: "it showed no certificate") }
            guard isFor(address, certificate) else {
                throw Failure(reason: "its certificate is not for \(host)")
            }
        }
    }

    // The accessor's underscore says that its shape may change; the alternative is to parse certificates here.
    /// Whether the address is one of those of the certificate (RFC 5280 §4.2.1.6: 4 or 16 bytes in network order).
    private static func isFor(_ address: SocketAddress, _ certificate: NIOSSLCertificate) -> Bool {
        certificate._subjectAlternativeNames().contains { name in
            guard name.nameType == .ipAddress else { return false }
            let packed = ByteBuffer(bytes: Array(name.contents))
            return (try? SocketAddress(packedIPAddress: packed, port: address.port ?? 0)) == address
        }
    }
}
