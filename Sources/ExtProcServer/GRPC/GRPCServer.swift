package import NIOCore
package import NIOPosix
package import NIOSSL
import Transport

/// The settings of a ``GRPCServer``.
package struct GRPCServerConfiguration: Sendable {
    /// What speaks HTTP/2.
    package enum Engine: Sendable, CaseIterable {
        /// HTTP2Engine.
        case own
        /// swift-nio-http2, should the other one have a fault.
        case nioHTTP2
    }

    /// What speaks HTTP/2. Default ``Engine/own``.
    package var engine = Engine.own
    /// The most bytes of a message that a client sends; a longer one ends its call with RESOURCE_EXHAUSTED. Default
    /// 4 MiB, as in other gRPC servers; Envoy sends up to 1 MiB of a body and a little around it.
    package var maxReceiveMessageBytes = 4 << 20
    /// The most bytes of a message to a client; a longer one ends its call with RESOURCE_EXHAUSTED. Default `nil`: no
    /// bound but that of what is sent, which has 62,000 bytes of a body at most.
    package var maxSendMessageBytes: Int?
    /// Whether calls know their place in a trace, ``GRPCStream/traceParent``. Default false.
    package var keepsTraceParent = false
    /// The most connections at once. Default 65,536.
    package var maxConnections = 65_536
    /// The most calls at once on one connection. Envoy has one for each request. Default 65,536.
    package var maxConcurrentStreams = 65_536
    /// The most bytes of a call's header fields. Default 64 KiB.
    package var maxHeaderBytes = 64 << 10
    /// What the client may send of one call, in bytes, before it must wait. Default 2 MiB: a prompt of 256 kB needs no
    /// update of the window.
    package var streamWindowBytes = 2 << 20
    /// How long a client may take to begin to speak HTTP/2. Default 10 s.
    package var handshakeTimeout = Duration.seconds(10)
    /// After how long without a byte a client is asked for a sign of life. Default 60 s.
    package var keepaliveInterval = Duration.seconds(60)
    /// How long the client may take for it. Default 20 s.
    package var keepaliveTimeout = Duration.seconds(20)

    /// The defaults.
    package init() {}
}

/// A gRPC server: listeners, and the services that answer their calls. Safe to call from any thread.
package final class GRPCServer: Sendable {
    private let server: LoopServer<GRPCLoop>

    /// Makes a server on the loops of `group`.
    ///
    /// - Parameter services: asked in this order for each call.
    package init(
        group: MultiThreadedEventLoopGroup,
        configuration: GRPCServerConfiguration,
        services: [any GRPCService]
    ) async throws {
        server = try await LoopServer(group: group, maxConnections: configuration.maxConnections) { eventLoop in
            GRPCLoop(eventLoop: eventLoop, configuration: configuration, services: services)
        }
    }

    /// A bound listener.
    package struct Listening: Sendable {
        /// The address that it listens on, with the port that the system chose.
        package let address: SocketAddress
    }

    /// Binds an address.
    ///
    /// - Parameters:
    ///   - host: an address of this machine.
    ///   - port: the port; 0 lets the system choose.
    ///   - tls: gives the TLS context of each new connection, so that a new certificate is used at once; `nil` for
    ///     plain text. The context must offer `h2` by ALPN.
    /// - Throws: the system's error when the address cannot be bound.
    package func listen(
        host: String,
        port: Int,
        tls: (@Sendable () -> NIOSSLContext)?
    ) async throws -> Listening {
        let listening = try await server.listen(
            host: host,
            port: port,
            receiveAllocator: AdaptiveRecvByteBufferAllocator(minimum: 4 << 10, initial: 64 << 10, maximum: 256 << 10),
            allowsHalfClosure: false
        ) { channel, loop in
            if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls())) }
            switch loop.configuration.engine {
            case .own: try HTTP2EngineConnection.install(on: channel, loop: loop)
            case .nioHTTP2: try HTTP2Connection.install(on: channel, loop: loop)
            }
        }
        return Listening(address: listening.address)
    }

    /// Accepts no more connections and calls, waits for those that are running, and at `timeout` ends what is left.
    ///
    /// - Returns: whether everything had finished by itself.
    package func drain(timeout: Duration) async -> Bool {
        await server.drain(timeout: timeout)
    }
}

/// A connection as its loop sees it.
protocol GRPCLoopConnection: AnyObject {
    /// Closes the connection if its client has been waited for too long. Called about once a second.
    func sweep(_ now: NIODeadline)
    /// Tells the client to open no more streams, and closes the connection behind the last one.
    func drain()
    /// Ends every call and closes.
    func abort()
}

/// Everything of the server that belongs to one event loop. Confined to it.
final class GRPCLoop: ServerLoop {
    let configuration: GRPCServerConfiguration
    private let services: [any GRPCService]
    private let eventLoop: any EventLoop
    private var connections: [ObjectIdentifier: any GRPCLoopConnection] = [:]
    private var whenEmpty: EventLoopPromise<Void>?

    init(eventLoop: any EventLoop, configuration: GRPCServerConfiguration, services: [any GRPCService]) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.services = services
    }

    /// Gives a stream the call of its path, by the first service that has it, or ends the stream with UNIMPLEMENTED.
    ///
    /// - Parameter isLast: whether the client has ended its side with the header fields.
    func startCall(_ path: String, on stream: GRPCStream, isLast: Bool) {
        for service in services {
            guard let call = service.makeCall(path: path, stream: stream) else { continue }
            stream.start(call)
            if isLast { stream.receivedEnd() }
            return
        }
        stream.end(GRPCStatus(.unimplemented, "there is no method '\(path)'"))
    }

    func add(_ connection: any GRPCLoopConnection) {
        connections[ObjectIdentifier(connection)] = connection
        if whenEmpty != nil { connection.drain() }
    }

    func remove(_ connection: any GRPCLoopConnection) {
        connections[ObjectIdentifier(connection)] = nil
        finishIfEmpty()
    }

    func sweep(at now: NIODeadline) {
        for connection in Array(connections.values) { connection.sweep(now) }
    }

    func drain() -> EventLoopFuture<Void> {
        if let whenEmpty { return whenEmpty.futureResult }
        let promise = eventLoop.makePromise(of: Void.self)
        whenEmpty = promise
        for connection in Array(connections.values) { connection.drain() }
        finishIfEmpty()
        return promise.futureResult
    }

    func abort() {
        for connection in Array(connections.values) { connection.abort() }
    }

    private func finishIfEmpty() {
        guard connections.isEmpty, let promise = whenEmpty else { return }
        whenEmpty = nil
        promise.succeed()
    }
}
