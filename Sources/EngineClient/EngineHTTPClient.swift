package import GatewayCore
package import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import Transport

/// Asks endpoints over HTTP/1.1 on connections that stay open between questions, all on one event loop.
///
/// For many small questions to the same addresses: connections are kept per address, a request is encoded once, a
/// response stays in the buffer that it was received in, and nothing is parsed but HTTP. No task and no timer belongs
/// to a question: completions run on the event loop, and one timer for all looks at the deadlines. A question on a
/// connection that the server closed meanwhile is asked once more on a new one, which is safe since a GET changes
/// nothing. Safe from any thread; ``shutdown()`` ends it.
package final class EngineHTTPClient: OutboundHTTP {
    private struct Lookout {
        var deadline: NIODeadline
        var task: Scheduled<Void>
    }

    private let loop: any EventLoop
    /// Where the connections read into, one after the other.
    private let buffers: NIOLoopBoundBox<BufferPool>
    private let configuration: EngineHTTPClientConfiguration
    private let shelf: Mutex<ConnectionShelf<EngineConnection>>
    private let tls: Mutex<NIOSSLContext?>
    private let clock = SystemMonotonicClock()
    private let sweep = Mutex<RepeatedTask?>(nil)
    /// When the deadlines are looked at next: no later than the first of them.
    private let lookout = Mutex<Lookout?>(nil)

    /// Makes a client on an event loop of `group`, which must outlive it.
    ///
    /// - Throws: an error that says what is wrong with the certificates of `configuration`.
    package init(
        group: any EventLoopGroup,
        configuration: EngineHTTPClientConfiguration = EngineHTTPClientConfiguration()
    ) throws {
        loop = group.next()
        buffers = .makeBoxSendingValue(BufferPool(keptBytesMax: ReceiveAllocator.bytesMax), eventLoop: loop)
        self.configuration = configuration
        shelf = Mutex(
            ConnectionShelf(maxIdlePerAddress: configuration.maxIdlePerAddress, maxIdle: configuration.maxIdle)
        )
        // Reading the system's certificates takes a while, so that waits for the first secure endpoint; a file that was
        // named is read now, while its absence can still be reported.
        tls = Mutex(configuration.caCertificatePath == nil ? nil : try Self.makeTLS(configuration))
        let pause = TimeAmount.nanoseconds(max(configuration.idleTimeout.wholeNanoseconds / 4, 1_000_000))
        let task = loop.scheduleRepeatedTask(initialDelay: pause, delay: pause) { [weak self] _ in
            self?.closeIdleConnections()
        }
        sweep.withLock { $0 = task }
    }

    /// Connections that are open now, used or not.
    package var openConnections: Int { shelf.withLock { $0.openCount } }

    /// Connections that are kept open and not used now.
    package var idleConnections: Int { shelf.withLock { $0.idleCount } }

    /// A timer on the client's event loop: what it runs asks without a change of threads.
    package func timer(clock: any MonotonicClock) -> any CallbackTimer {
        EventLoopTimer(loop: loop, clock: clock)
    }

    /// Asks, on a connection that is open where there is one. The completion runs on the client's event loop.
    package func get(
        _ request: OutboundRequest,
        _ completion: @escaping @Sendable (Result<OutboundResponse, OutboundFailure>) -> Void
    ) -> any Cancellable {
        let question = Question(request, client: self, completion: completion)
        if loop.inEventLoop {
            begin(question)
        } else {
            loop.execute { self.begin(question) }
        }
        return question
    }

    /// Closes all connections, also those in use, and waits until they are closed. Questions fail from then on.
    package func shutdown() async {
        let task = sweep.withLock { $0.take() }
        task?.cancel()
        let connections = shelf.withLock { $0.shutDown() }
        let lookout = lookout.withLock { $0.take() }
        lookout?.task.cancel()
        for connection in connections { connection.close() }
        for connection in connections {
            // A connection's close future carries no error.
            try? await connection.closeFuture.get()
        }
    }

    private func begin(_ question: Question) {
        if let idle = shelf.withLock({ $0.take(question.request.address) }) {
            ask(question, on: idle)
        } else {
            connect(for: question)
        }
    }

    private func ask(_ question: Question, on connection: EngineConnection) {
        guard question.move(to: connection) else { return connection.close() }
        lookOut(for: question.deadline)
        connection.start(question)
    }

    /// Takes what came of a question on `connection`. On the event loop.
    func ended(_ question: Question, on connection: EngineConnection, _ end: ExchangeEnd) {
        switch end {
        case .answered(let response, let isReusable):
            if isReusable {
                let now = clock.now
                let isKept = shelf.withLock { $0.put(connection, place: connection.place, at: now) }
                if !isKept { connection.close() }
            }
            question.finish(.success(response))
        case .stale:
            connect(for: question)
        case .failed(let failure):
            question.finish(.failure(failure))
        }
    }

    /// Sees to it that the deadlines are looked at when `deadline` has come. Questions mostly have the same time to
    /// live, so the timer that stands is nearly always early enough.
    private func lookOut(for deadline: NIODeadline) {
        lookout.withLock { lookout in
            if let present = lookout?.deadline, present <= deadline { return }
            lookout?.task.cancel()
            let task = loop.scheduleTask(deadline: deadline) { [weak self] () -> Void in self?.endLateExchanges() }
            lookout = Lookout(deadline: deadline, task: task)
        }
    }

    private func endLateExchanges() {
        lookout.withLock { $0 = nil }
        let now = NIODeadline.now()
        let next = shelf.withLock { $0.open }.compactMap { $0.endIfLate(at: now) }.min()
        if let next { lookOut(for: next) }
    }

    private func connect(for question: Question) {
        if question.isOver { return }
        if shelf.withLock({ $0.isShutDown }) {
            return question.finish(.failure(.connect("the client is shut down")))
        }
        let address = question.request.address
        let remaining = question.deadline - .now()
        guard remaining > .zero else { return question.finish(.failure(.timedOut)) }
        let tls: NIOSSLContext?
        do throws(OutboundFailure) {
            tls = address.isSecure ? try sharedTLS() : nil
        } catch {
            return question.finish(.failure(error))
        }
        startConnecting(to: address, tls: tls, timeout: remaining).whenComplete { outcome in
            switch outcome {
            case .success(let connection): self.ask(question, on: connection)
            case .failure(let error): question.finish(.failure(Self.connectFailure(error)))
            }
        }
    }

    private func startConnecting(
        to address: EndpointAddress,
        tls: NIOSSLContext?,
        timeout: TimeAmount
    ) -> EventLoopFuture<EngineConnection> {
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(timeout)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            // With more than one read at a time the channel would keep buffers for the next one.
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let buffers = self.buffers.value
                    let allocator = ReceiveAllocator(buffers, eventLoop: channel.eventLoop)
                    try channel.syncOptions?.setOption(.recvAllocator, value: allocator)
                    let pipeline = channel.pipeline.syncOperations
                    if let tls {
                        let name = address.isAddressLiteral ? nil : address.host
                        try pipeline.addHandler(NIOSSLClientHandler(context: tls, serverHostname: name))
                    }
                    try pipeline.addHandler(ExchangeHandler(buffers: buffers))
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
        let bound = NIOLoopBound(handler, eventLoop: channel.eventLoop)
        let connection = shelf.withLock { shelf in
            shelf.add(address) { EngineConnection(place: $0, channel: channel, handler: bound) }
        }
        guard let connection else {
            channel.close(promise: nil)
            throw OutboundFailure.connect("the client is shut down")
        }
        channel.closeFuture.whenComplete { [weak self] _ in
            self?.shelf.withLock { $0.closed(connection, place: connection.place) }
        }
        return connection
    }

    /// Closes what nobody used for the idle timeout, so that connections to endpoints that left do not stay.
    private func closeIdleConnections() {
        let limit = clock.now.advanced(by: .zero - configuration.idleTimeout)
        for connection in shelf.withLock({ $0.takeIdle(since: limit) }) { connection.close() }
    }

    private func sharedTLS() throws(OutboundFailure) -> NIOSSLContext {
        try tls.withLock { (tls) throws(OutboundFailure) in
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
