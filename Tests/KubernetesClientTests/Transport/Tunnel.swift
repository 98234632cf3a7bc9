import GatewayTesting
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// A server on loopback that passes bytes on to another one: it ends TLS for it, or is a proxy before it.
final class Tunnel: Sendable {
    /// What stands between the client and the other server.
    enum Kind: Sendable {
        /// TLS, with what each new connection is to see.
        case tls(@Sendable () throws -> NIOSSLContext)
        /// A proxy that answers every `CONNECT` with this.
        case connect(String)
        /// A SOCKS 5 proxy.
        case socks5

        /// A proxy that connects.
        static let connect = Kind.connect("HTTP/1.1 200 OK\r\n\r\n")

        /// TLS with this certificate.
        static func tls(
            _ certificate: TestCertificate,
            asksForCertificates: Bool = false,
            upTo version: TLSVersion? = nil
        ) -> Kind {
            .tls {
                var tls = TLSConfiguration.makeServerConfiguration(
                    certificateChain: try certificate.certificates.map { .certificate($0) },
                    privateKey: .privateKey(
                        try NIOSSLPrivateKey(bytes: Array(certificate.key.utf8), format: .pem)))
                tls.maximumTLSVersion = version
                if asksForCertificates {
                    tls.certificateVerification = .noHostnameVerification
                    tls.trustRoots = .certificates(
                        try NIOSSLCertificate.fromPEMBytes(Array(TestCertificate.authority.utf8)))
                }
                return try NIOSSLContext(configuration: tls)
            }
        }
    }

    /// What happened so far.
    struct Log: Sendable {
        var accepted = 0
        /// What proxies were asked: the head of a `CONNECT`, or the bytes of a SOCKS request in decimal.
        var questions: [String] = []
        /// The serial numbers of the certificates that clients showed, for each connection that was used.
        var clients: [[UInt8]?] = []
    }

    let log = ObservedState(Log())
    let port: Int
    private let channel: any Channel

    private init(channel: any Channel) {
        self.channel = channel
        port = channel.localAddress?.port ?? 0
    }

    /// Starts a tunnel to `target` on 127.0.0.1.
    static func start(_ kind: Kind, to target: Int) async throws -> Tunnel {
        let box = Mutex<Tunnel?>(nil)
        let ready = ScriptedGate()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if case .tls(let context) = kind {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: try context()))
                    }
                    let handler = TunnelHandler(kind: kind, target: target) { change in
                        ready.whenOpen { box.withLock { $0 }?.log.update(change) }
                    }
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let tunnel = Tunnel(channel: channel)
        box.withLock { $0 = tunnel }
        ready.open()
        return tunnel
    }

    /// Stops listening.
    func stop() async throws {
        try await channel.close()
    }
}

extension TestCertificate {
    var certificates: [NIOSSLCertificate] {
        get throws { try NIOSSLCertificate.fromPEMBytes(Array(chain.utf8)) }
    }

    /// What tells it from the others.
    var serialNumber: [UInt8] {
        get throws { try certificates[0].serialNumber }
    }
}

/// One connection of a tunnel; confined to its event loop.
private final class TunnelHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let kind: Tunnel.Kind
    private let target: Int
    private let note: @Sendable (@escaping @Sendable (inout Tunnel.Log) -> Void) -> Void
    private var received = ByteBuffer()
    private var hasGreeted = false
    private var isConnecting = false
    private var partner: (any Channel)?

    init(
        kind: Tunnel.Kind,
        target: Int,
        note: @escaping @Sendable (@escaping @Sendable (inout Tunnel.Log) -> Void) -> Void
    ) {
        self.kind = kind
        self.target = target
        self.note = note
    }

    func handlerAdded(context: ChannelHandlerContext) {
        note { $0.accepted += 1 }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var piece = unwrapInboundIn(data)
        if let partner { return partner.writeAndFlush(piece, promise: nil) }
        received.writeBuffer(&piece)
        guard !isConnecting else { return }
        switch kind {
        case .tls:
            let handler = try? context.pipeline.syncOperations.handler(type: NIOSSLServerHandler.self)
            let serial = handler?.peerCertificate?.serialNumber
            note { $0.clients.append(serial) }
            join(context, answer: nil)
        case .connect(let answer): connect(context, answer)
        case .socks5: socks(context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        partner?.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func connect(_ context: ChannelHandlerContext, _ answer: String) {
        let text = String(buffer: received)
        guard let end = text.firstRange(of: "\r\n\r\n") else { return }
        note { $0.questions.append(String(text[..<end.lowerBound])) }
        received.clear()
        guard answer.contains(" 200 ") else {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
            return
        }
        join(context, answer: ByteBuffer(string: answer))
    }

    /// Greeting and request of RFC 1928, which come in one piece each.
    private func socks(_ context: ChannelHandlerContext) {
        let bytes = Array(received.readableBytesView)
        received.clear()
        if !hasGreeted {
            hasGreeted = true
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: [5, 0])), promise: nil)
        } else {
            note { $0.questions.append(bytes.map(String.init).joined(separator: " ")) }
            join(context, answer: ByteBuffer(bytes: [5, 0, 0, 1, 0, 0, 0, 0, 0, 0]))
        }
    }

    private func join(_ context: ChannelHandlerContext, answer: ByteBuffer?) {
        isConnecting = true
        let near = context.channel
        let bound = NIOLoopBound(self, eventLoop: near.eventLoop)
        ClientBootstrap(group: near.eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(BackHandler(near: near))
                }
            }
            .connect(host: "127.0.0.1", port: target)
            .whenComplete { result in
                guard case .success(let far) = result else { return near.close(promise: nil) }
                let handler = bound.value
                handler.partner = far
                if let answer { near.writeAndFlush(answer, promise: nil) }
                if handler.received.readableBytes > 0 { far.writeAndFlush(handler.received, promise: nil) }
                if !near.isActive { far.close(promise: nil) }
            }
    }
}

/// The way back.
private final class BackHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let near: any Channel

    init(near: any Channel) {
        self.near = near
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        near.writeAndFlush(unwrapInboundIn(data), promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        near.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
