import GatewayConfiguration
import NIOCore
import NIOSSL
import ReverseProxy
import Synchronization

/// The places where clients connect now, and how they become those of a new plan.
actor ListenerSet {
    private struct Bound {
        let address: BindAddress
        let isSecure: Bool
        let listener: ProxyServer.Listening
    }

    private let proxy: ProxyServer
    private var bound: [Bound] = []

    init(proxy: ProxyServer) {
        self.proxy = proxy
    }

    /// Where clients connect, as URLs.
    var urls: [String] {
        bound.map { bound in
            let address = bound.listener.address
            let text = BindAddress(host: address.ipAddress ?? bound.address.host, port: address.port ?? 0).description
            return "\(bound.isSecure ? "https" : "http")://\(text)"
        }
    }

    /// Binds what is new, then closes what is gone. A listener that stays keeps its socket and its connections and
    /// takes its new routes and certificate.
    ///
    /// - Throws: ``CommandError`` when a certificate cannot be used or an address cannot be bound; what was bound
    ///   before
    ///   the call stays as it was.
    func apply(_ listeners: [GatewayPlan.Listener]) async throws {
        let contexts = try listeners.map { try $0.certificate.map(Self.context) }
        var added: [Bound] = []
        var kept: [Bound] = []
        for (listener, tls) in zip(listeners, contexts) {
            if let present = bound.first(where: { $0.address == listener.address && $0.isSecure == (tls != nil) }) {
                kept.append(present)
                continue
            }
            do {
                added.append(try await bind(listener, tls: tls))
            } catch {
                for bound in added { await bound.listener.close() }
                throw CommandError("Cannot listen on \(listener.address): \(error).")
            }
        }
        for (listener, tls) in zip(listeners, contexts) {
            kept.first { $0.address == listener.address }?.listener.update(routes: listener.routes, tls: tls)
        }
        let stays = Set(kept.map(\.address))
        for gone in bound where !stays.contains(gone.address) { await gone.listener.close() }
        bound = listeners.compactMap { listener in (kept + added).first { $0.address == listener.address } }
    }

    private func bind(_ listener: GatewayPlan.Listener, tls: NIOSSLContext?) async throws -> Bound {
        let listening = try await proxy.listen(
            ProxyListener(host: listener.address.host, port: listener.address.port, routes: listener.routes),
            tls: tls
        )
        return Bound(address: listener.address, isSecure: tls != nil, listener: listening)
    }

    /// What TLS needs to speak with a certificate.
    ///
    /// - Throws: ``CommandError`` when the chain or the key is none, or they do not belong together.
    static func context(_ certificate: GatewayPlan.Certificate) throws(CommandError) -> NIOSSLContext {
        do {
            let chain = try NIOSSLCertificate.fromPEMBytes(Array(certificate.chain.utf8))
            let key = try NIOSSLPrivateKey(bytes: Array(certificate.key.exposed.utf8), format: .pem)
            var tls = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) },
                privateKey: .privateKey(key)
            )
            tls.applicationProtocols = ["h2", "http/1.1"]
            tls.minimumTLSVersion = .tlsv12
            return try NIOSSLContext(configuration: tls)
        } catch {
            throw CommandError("A listener's certificate or key cannot be used: \(error).")
        }
    }
}

/// Where clients connect now, for those who cannot wait for a ``ListenerSet``. Safe from any thread.
final class ListenerURLs: Sendable {
    private let urls = Mutex<[String]>([])

    /// The URLs.
    var present: [String] { urls.withLock { $0 } }

    /// Replaces them.
    func set(_ present: [String]) {
        urls.withLock { $0 = present }
    }
}
