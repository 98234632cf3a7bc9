import NIOCore
import NIOEmbedded
import NIOSSL
import NIOTLS

/// A TLS handshake of two channels in memory.
struct Handshake {
    /// Whether both sides agreed.
    let isComplete: Bool
    /// What ALPN agreed on.
    let agreedProtocol: String?
    /// What the server showed.
    let serverCertificate: NIOSSLCertificate?

    /// Lets a client shake hands with a server of `context`. The client asks for `h2` and takes `localhost` for the
    /// server's name; `change` makes it another client.
    static func between(
        _ context: NIOSSLContext,
        _ change: (inout TLSConfiguration) -> Void
    ) throws -> Handshake {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.applicationProtocols = ["h2"]
        change(&tls)
        let client = EmbeddedChannel()
        let server = EmbeddedChannel()
        let handler = try NIOSSLClientHandler(
            context: try NIOSSLContext(configuration: tls), serverHostname: "localhost")
        let (clientEnd, serverEnd) = (HandshakeWitness(), HandshakeWitness())
        try client.pipeline.syncOperations.addHandlers([handler, clientEnd])
        try server.pipeline.syncOperations.addHandlers([NIOSSLServerHandler(context: context), serverEnd])
        client.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        server.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        try converse(client, server)
        let result = Handshake(
            isComplete: clientEnd.isComplete && serverEnd.isComplete && !clientEnd.hasFailed && !serverEnd.hasFailed,
            agreedProtocol: serverEnd.agreedProtocol,
            serverCertificate: handler.peerCertificate
        )
        // The farewell of TLS is a conversation as well.
        client.close(promise: nil)
        server.close(promise: nil)
        try converse(client, server)
        return result
    }

    /// Lets each side speak until neither has more to say.
    private static func converse(_ client: EmbeddedChannel, _ server: EmbeddedChannel) throws {
        var isSpeaking = true
        while isSpeaking {
            isSpeaking = try pass(client, to: server)
            isSpeaking = try pass(server, to: client) || isSpeaking
        }
    }

    private static func pass(_ from: EmbeddedChannel, to: EmbeddedChannel) throws -> Bool {
        var hasPassed = false
        while let bytes = try from.readOutbound(as: ByteBuffer.self) {
            hasPassed = true
            // A side that gave up tells so by its event.
            _ = try? to.writeInbound(bytes)
        }
        return hasPassed
    }
}

/// Remembers how the handshake of its channel went.
private final class HandshakeWitness: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private(set) var isComplete = false
    private(set) var hasFailed = false
    private(set) var agreedProtocol: String?

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .handshakeCompleted(let agreed) = event as? TLSUserEvent else { return }
        isComplete = true
        agreedProtocol = agreed
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        hasFailed = true
    }
}
