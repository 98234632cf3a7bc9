import GatewayCore
package import NIOCore
package import NIOPosix
package import NIOSSL
package import RequestControl
import Synchronization
import Telemetry
import Transport

/// The reverse proxy: listeners and one ``ProxyLoop`` for each event loop.
///
/// `start` binds, `drain` stops accepting and waits for what is running. Safe to call from any thread.
package final class ProxyServer: Sendable {
    private let server: LoopServer<ProxyLoop>
    private let connections: ProxyMetrics.Connections

    /// Makes a proxy on the loops of `group`.
    package init(
        group: MultiThreadedEventLoopGroup,
        controller: RequestController,
        configuration: ProxyConfiguration
    ) async throws {
        server = try await LoopServer(group: group, maxConnections: configuration.limits.maxConnections) { eventLoop in
            ProxyLoop(eventLoop: eventLoop, controller: controller, configuration: configuration)
        }
        connections = controller.metrics.proxy.downstream
    }

    /// A bound listener.
    package final class Listening: Sendable {
        /// The address that it listens on, with the port that the system chose.
        package var address: SocketAddress { listening.address }
        private let listening: LoopServer<ProxyLoop>.Listening
        private let binding: ListenerBinding

        fileprivate init(_ listening: LoopServer<ProxyLoop>.Listening, binding: ListenerBinding) {
            self.listening = listening
            self.binding = binding
        }

        /// Uses `routes` for the requests to come, and `tls` for the connections to come.
        package func update(routes: RouteTableKey, tls: NIOSSLContext?) {
            binding.update(routes: routes, tls: tls)
        }

        /// Accepts no more connections; those that are open stay.
        package func close() async {
            await listening.close()
        }
    }

    /// Binds `listener`.
    ///
    /// - Parameter tls: the TLS context for clients that must speak TLS; `nil` for plain text.
    /// - Throws: the system's error when the address cannot be bound.
    package func listen(_ listener: ProxyListener, tls: NIOSSLContext?) async throws -> Listening {
        let binding = ListenerBinding(listener.routes, tls: tls)
        let listening = try await server.listen(
            host: listener.host,
            port: listener.port,
            receiveAllocator: ReceiveBuffers.downstream,
            // A client that breaks its request off can still read why it is refused. TLS says its end itself.
            allowsHalfClosure: tls == nil
        ) { [connections] channel, loop in
            connections.opened()
            channel.closeFuture.whenComplete { _ in connections.closed() }
            try Self.initialize(channel, loop, binding)
        }
        return Listening(listening, binding: binding)
    }

    /// Stops accepting, lets running requests finish, and at `timeout` ends those that are left.
    ///
    /// - Returns: whether everything had finished by itself.
    package func drain(timeout: Duration) async -> Bool {
        await server.drain(timeout: timeout)
    }

    private static func initialize(_ channel: any Channel, _ loop: ProxyLoop, _ binding: ListenerBinding) throws {
        let pipeline = channel.pipeline.syncOperations
        let tls = binding.tls
        var slot: ReceiveSlot?
        if let tls {
            try pipeline.addHandler(NIOSSLServerHandler(context: tls))
        } else {
            let plain = ReceiveSlot(buffers: loop.receiveBuffers)
            try SlotAllocator.install(plain, on: channel)
            slot = plain
        }
        try pipeline.addHandler(ProtocolDetector(loop: loop, listener: binding, isSecure: tls != nil, slot: slot))
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
