package import GatewayCore
package import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// Asks endpoints over HTTP/1.1 on connections that stay open between questions.
///
/// For many small questions to the same addresses: connections are kept per address, a response stays in the buffer
/// that it was received in, and nothing is parsed but HTTP. A question on a connection that the server closed meanwhile
/// is asked once more on a new one, which is safe since a GET changes nothing. Safe from any thread; ``shutdown()``
/// ends it.
package final class EngineHTTPClient: OutboundHTTP {
    private let group: any EventLoopGroup
    private let configuration: EngineHTTPClientConfiguration
    private let shelf: Mutex<ConnectionShelf<EngineConnection>>
    private let tls: Mutex<NIOSSLContext?>
    private let clock = SystemMonotonicClock()
    private let sweep = Mutex<RepeatedTask?>(nil)

    /// Makes a client on the event loops of `group`, which must outlive it.
    ///
    /// - Throws: an error that says what is wrong with the certificates of `configuration`.
    package init(
        group: any EventLoopGroup,
        configuration: EngineHTTPClientConfiguration = EngineHTTPClientConfiguration()
    ) throws {
        self.group = group
        self.configuration = configuration
        shelf = Mutex(
            ConnectionShelf(maxIdlePerAddress: configuration.maxIdlePerAddress, maxIdle: configuration.maxIdle)
        )
        // Reading the system's certificates takes a while, so that waits for the first secure endpoint; a file that was
        // named is read now, while its absence can still be reported.
        tls = Mutex(configuration.caCertificatePath == nil ? nil : try Self.makeTLS(configuration))
        let pause = TimeAmount.nanoseconds(max(configuration.idleTimeout.wholeNanoseconds / 4, 1_000_000))
        let task = group.next().scheduleRepeatedTask(initialDelay: pause, delay: pause) { [weak self] _ in
            self?.closeIdleConnections()
        }
        sweep.withLock { $0 = task }
    }

    /// Connections that are open now, used or not.
    package var openConnections: Int { shelf.withLock { $0.openCount } }

    /// Connections that are kept open and not used now.
    package var idleConnections: Int { shelf.withLock { $0.idleCount } }

    /// Asks, on a connection that is open where there is one.
    ///
    /// - Throws: ``GatewayCore/OutboundFailure``; `CancellationError` when the task was cancelled, which closes the
    ///   connection that was in use.
    package func get(_ request: OutboundRequest) async throws -> OutboundResponse {
        let deadline = NIODeadline.now() + .nanoseconds(request.timeout.wholeNanoseconds)
        do {
            if let idle = shelf.withLock({ $0.take(request.address) }) {
                do {
                    return try await ask(request, on: idle, deadline: deadline)
                } catch ExchangeFailure.closedBeforeResponse {
                    // The server closed it while nobody used it; what follows asks on a new one.
                }
            }
            let connection = try await connect(to: request.address, deadline: deadline)
            return try await ask(request, on: connection, deadline: deadline)
        } catch ExchangeFailure.failed(let failure) {
            throw failure
        } catch ExchangeFailure.closedBeforeResponse(let why) {
            throw OutboundFailure.badResponse(why)
        }
    }

    /// Closes all connections, also those in use, and waits until they are closed. Questions fail from then on.
    package func shutdown() async {
        let task = sweep.withLock { $0.take() }
        task?.cancel()
        let connections = shelf.withLock { $0.shutDown() }
        for connection in connections { connection.close() }
        for connection in connections {
            // A connection's close future carries no error.
            try? await connection.closeFuture.get()
        }
    }

    private func ask(
        _ request: OutboundRequest,
        on connection: EngineConnection,
        deadline: NIODeadline
    ) async throws -> OutboundResponse {
        let result = try await connection.exchange(request, deadline: deadline)
        if result.isReusable {
            let now = clock.now
            // Looked at under the lock: one that ends later is taken off the shelf when it does.
            let isKept = shelf.withLock { shelf in
                connection.isActive && shelf.put(connection, address: request.address, at: now)
            }
            if !isKept { connection.close() }
        }
        return result.response
    }

    private func connect(to address: EndpointAddress, deadline: NIODeadline) async throws -> EngineConnection {
        let remaining = deadline - .now()
        guard remaining > .zero else { throw OutboundFailure.timedOut }
        let tls = address.isSecure ? try sharedTLS() : nil
        let result = OneShot<EngineConnection>()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                guard result.begin(continuation) else { return }
                startConnecting(to: address, tls: tls, timeout: remaining).whenComplete { outcome in
                    switch outcome {
                    case .success(let connection):
                        if !result.resume(with: .success(connection)) { connection.close() }
                    case .failure(let error):
                        result.resume(with: .failure(Self.connectFailure(error)))
                    }
                }
            }
        } onCancel: {
            result.cancel()
        }
    }

    private func startConnecting(
        to address: EndpointAddress,
        tls: NIOSSLContext?,
        timeout: TimeAmount
    ) -> EventLoopFuture<EngineConnection> {
        let bootstrap = ClientBootstrap(group: group)
            .connectTimeout(timeout)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            // A metrics page has tens of kilobytes: read in one go once the allocator has grown.
            .channelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 16_384, maximum: 65_536)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls {
                        let name = address.isAddressLiteral ? nil : address.host
                        try pipeline.addHandler(NIOSSLClientHandler(context: tls, serverHostname: name))
                    }
                    try pipeline.addHTTPClientHandlers()
                    try pipeline.addHandler(ExchangeHandler())
                }
            }
        let channel =
            if let literal = try? SocketAddress(ipAddress: address.host, port: address.port) {
                bootstrap.connect(to: literal)
            } else {
                bootstrap.connect(host: address.host, port: address.port)
            }
        return channel.flatMapThrowing { channel in
            try self.makeConnection(address, channel)
        }
    }

    /// Runs on the channel's event loop.
    private func makeConnection(_ address: EndpointAddress, _ channel: any Channel) throws -> EngineConnection {
        let handler = try channel.pipeline.syncOperations.handler(type: ExchangeHandler.self)
        let connection = EngineConnection(
            address: address,
            channel: channel,
            handler: NIOLoopBound(handler, eventLoop: channel.eventLoop)
        )
        guard shelf.withLock({ $0.opened(connection) }) else {
            connection.close()
            throw OutboundFailure.connect("the client is shut down")
        }
        channel.closeFuture.whenComplete { [weak self] _ in
            self?.shelf.withLock { $0.closed(connection, address: address) }
        }
        return connection
    }

    /// Closes what nobody used for the idle timeout, so that connections to endpoints that left do not stay.
    private func closeIdleConnections() {
        let limit = clock.now.advanced(by: .zero - configuration.idleTimeout)
        for connection in shelf.withLock({ $0.takeIdle(since: limit) }) { connection.close() }
    }

    private func sharedTLS() throws -> NIOSSLContext {
        try tls.withLock { tls in
            if let tls { return tls }
            do {
                let made = try Self.makeTLS(configuration)
                tls = made
                return made
            } catch {
                throw OutboundFailure.connect("TLS cannot be set up: \(error)")
            }
        }
    }

    private static func makeTLS(_ configuration: EngineHTTPClientConfiguration) throws -> NIOSSLContext {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.applicationProtocols = ["http/1.1"]
        if !configuration.verifiesCertificates { tls.certificateVerification = .none }
        if let path = configuration.caCertificatePath { tls.trustRoots = .file(path) }
        return try NIOSSLContext(configuration: tls)
    }

    /// Nothing was connected, so whatever went wrong is a connect failure; the first cause is the one to tell.
    private static func connectFailure(_ error: any Error) -> OutboundFailure {
        switch error {
        case let failure as OutboundFailure: return failure
        case ChannelError.connectTimeout(let time): return .connect("no connection within \(time)")
        case let error as NIOConnectionError:
            if let first = error.connectionErrors.first { return connectFailure(first.error) }
            if let unknown = error.dnsAError ?? error.dnsAAAAError {
                return .connect("the name \(error.host) was not found: \(unknown)")
            }
            return .connect("the name \(error.host) has no address")
        default: return .connect("\(error)")
        }
    }
}

extension EndpointAddress {
    /// Whether the host is an IP address: such a host has no name to send in a TLS handshake.
    fileprivate var isAddressLiteral: Bool {
        (try? SocketAddress(ipAddress: host, port: port)) != nil
    }
}
