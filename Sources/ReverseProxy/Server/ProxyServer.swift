import GatewayCore
package import NIOCore
package import NIOPosix
package import NIOSSL
package import RequestControl
import Synchronization
import Telemetry

/// The reverse proxy: listeners and one ``ProxyLoop`` for each event loop.
///
/// `start` binds, `drain` stops accepting and waits for what is running. Safe to call from any thread.
package final class ProxyServer: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let loops: [ObjectIdentifier: NIOLoopBound<ProxyLoop>]
    private let connections: ProxyMetrics.Connections
    private let listening = Mutex<[Listening]>([])
    private let sweeps = Mutex<[RepeatedTask]>([])
    private let openConnections = Atomic<Int>(0)
    private let maxConnections: Int

    /// Makes a proxy on the loops of `group`.
    package init(
        group: MultiThreadedEventLoopGroup,
        controller: RequestController,
        configuration: ProxyConfiguration
    ) async throws {
        self.group = group
        maxConnections = configuration.limits.maxConnections
        var loops: [ObjectIdentifier: NIOLoopBound<ProxyLoop>] = [:]
        for eventLoop in group.makeIterator() {
            loops[ObjectIdentifier(eventLoop)] = try await eventLoop.submit {
                NIOLoopBound(
                    ProxyLoop(eventLoop: eventLoop, controller: controller, configuration: configuration),
                    eventLoop: eventLoop
                )
            }.get()
        }
        self.loops = loops
        connections = controller.metrics.proxy.downstream
        for (eventLoop, bound) in zip(group.makeIterator(), group.makeIterator().map { loops[ObjectIdentifier($0)] }) {
            let task = eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
                bound?.value.sweep()
            }
            sweeps.withLock { $0.append(task) }
        }
    }

    /// A bound listener.
    package final class Listening: Sendable {
        /// The address that it listens on, with the port that the system chose.
        package let address: SocketAddress
        private let channel: any Channel
        private let tls: TLSBox

        fileprivate init(channel: any Channel, address: SocketAddress, tls: TLSBox) {
            self.channel = channel
            self.address = address
            self.tls = tls
        }

        /// Uses `context` for the connections to come.
        package func replaceTLS(_ context: NIOSSLContext) {
            tls.context.withLock { $0 = context }
        }

        /// Accepts no more connections; those that are open stay.
        package func close() async {
            // A listener that cannot be closed is closed already.
            try? await channel.close()
        }
    }

    /// Binds `listener`.
    ///
    /// - Parameter tls: the TLS context for clients that must speak TLS; `nil` for plain text.
    /// - Throws: the system's error when the address cannot be bound.
    package func listen(_ listener: ProxyListener, tls: NIOSSLContext?) async throws -> Listening {
        let box = TLSBox(tls)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.recvAllocator, value: ReceiveBuffers.downstream)
            .childChannelInitializer { channel in
                self.accept(channel, listener: listener, tls: box.context.withLock { $0 })
            }
        let channel = try await bootstrap.bind(host: listener.host, port: listener.port).get()
        guard let address = channel.localAddress else { throw ChannelError.unknownLocalAddress }
        let listening = Listening(channel: channel, address: address, tls: box)
        self.listening.withLock { $0.append(listening) }
        return listening
    }

    /// Stops accepting, lets running requests finish, and at `timeout` ends those that are left.
    ///
    /// - Returns: whether everything had finished by itself.
    package func drain(timeout: Duration) async -> Bool {
        for listening in listening.withLock({ $0 }) { await listening.close() }
        let deadline = NIODeadline.now() + .nanoseconds(timeout.wholeNanoseconds)
        let isClean = Atomic<Bool>(true)
        await withTaskGroup(of: Bool.self) { tasks in
            for eventLoop in group.makeIterator() {
                guard let bound = loops[ObjectIdentifier(eventLoop)] else { continue }
                tasks.addTask { await Self.drain(bound, on: eventLoop, deadline: deadline) }
            }
            for await finished in tasks where !finished { isClean.store(false, ordering: .relaxed) }
        }
        for task in sweeps.withLock({ $0 }) { task.cancel() }
        return isClean.load(ordering: .relaxed)
    }

    private static func drain(
        _ bound: NIOLoopBound<ProxyLoop>,
        on eventLoop: any EventLoop,
        deadline: NIODeadline
    ) async -> Bool {
        let wasAborted = NIOLoopBoundBox.makeBoxSendingValue(false, eventLoop: eventLoop)
        try? await eventLoop.flatSubmit {
            let timer = eventLoop.scheduleTask(deadline: deadline) {
                wasAborted.value = true
                bound.value.abort()
            }
            return bound.value.drain().always { _ in timer.cancel() }
        }.get()
        return (try? await eventLoop.submit { !wasAborted.value }.get()) ?? false
    }

    private func accept(
        _ channel: any Channel,
        listener: ProxyListener,
        tls: NIOSSLContext?
    ) -> EventLoopFuture<Void> {
        guard let bound = loops[ObjectIdentifier(channel.eventLoop)] else {
            return channel.eventLoop.makeFailedFuture(ChannelError.inappropriateOperationForState)
        }
        guard openConnections.wrappingAdd(1, ordering: .relaxed).newValue <= maxConnections else {
            openConnections.wrappingSubtract(1, ordering: .relaxed)
            return channel.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
        }
        connections.opened()
        channel.closeFuture.whenComplete { _ in
            self.openConnections.wrappingSubtract(1, ordering: .relaxed)
            self.connections.closed()
        }
        return channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
            try pipeline.addHandler(
                ProtocolDetector(loop: bound.value, routes: listener.routes, isSecure: tls != nil)
            )
        }
    }
}

/// The TLS context of a listener, shared by the one who accepts and the one who replaces it.
private final class TLSBox: Sendable {
    let context: Mutex<NIOSSLContext?>

    init(_ context: NIOSSLContext?) {
        self.context = Mutex(context)
    }
}
