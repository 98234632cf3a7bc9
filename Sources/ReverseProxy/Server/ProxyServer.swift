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
        private let binding: ListenerBinding

        fileprivate init(channel: any Channel, address: SocketAddress, binding: ListenerBinding) {
            self.channel = channel
            self.address = address
            self.binding = binding
        }

        /// Uses `routes` for the requests to come, and `tls` for the connections to come.
        package func update(routes: RouteTableKey, tls: NIOSSLContext?) {
            binding.update(routes: routes, tls: tls)
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
        let binding = ListenerBinding(listener.routes, tls: tls)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.recvAllocator, value: ReceiveBuffers.downstream)
            // A client that breaks its request off can still read why it is refused. TLS says its end itself.
            .childChannelOption(.allowRemoteHalfClosure, value: tls == nil)
            .childChannelInitializer { channel in
                self.accept(channel, binding)
            }
        let channel = try await bootstrap.bind(host: listener.host, port: listener.port).get()
        guard let address = channel.localAddress else { throw ChannelError.unknownLocalAddress }
        let listening = Listening(channel: channel, address: address, binding: binding)
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
        _ binding: ListenerBinding
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
            let tls = binding.tls
            var slot: ReceiveSlot?
            if let tls {
                try pipeline.addHandler(NIOSSLServerHandler(context: tls))
            } else {
                let plain = ReceiveSlot(buffers: bound.value.receiveBuffers)
                try SlotAllocator.install(plain, on: channel)
                slot = plain
            }
            try pipeline.addHandler(
                ProtocolDetector(loop: bound.value, listener: binding, isSecure: tls != nil, slot: slot)
            )
        }
    }
}

/// What the connections of a listener use, and a reload may replace.
final class ListenerBinding: Sendable {
    private struct State {
        var routes: RouteTableKey
        var tls: NIOSSLContext?
    }

    private let state: Mutex<State>

    init(_ routes: RouteTableKey, tls: NIOSSLContext? = nil) {
        state = Mutex(State(routes: routes, tls: tls))
    }

    /// Which route table the next request uses.
    var routes: RouteTableKey { state.withLock { $0.routes } }

    /// The TLS context of the next connection; `nil` for plain text.
    var tls: NIOSSLContext? { state.withLock { $0.tls } }

    func update(routes: RouteTableKey, tls: NIOSSLContext?) {
        state.withLock { $0 = State(routes: routes, tls: tls) }
    }
}
