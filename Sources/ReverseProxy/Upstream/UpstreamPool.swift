import GatewayCore
import NIOCore
import NIOPosix
import NIOSSL
import Telemetry
import Transport

/// The connections of one event loop to the endpoints. Confined to that loop, so a request never changes threads.
///
/// The most recently used connection is taken first, which keeps few connections busy and lets the others time out. The
/// number of connections in use is bounded by the number of client requests.
final class UpstreamPool {
    private let eventLoop: any EventLoop
    private let configuration: ProxyConfiguration
    private let metrics: ProxyMetrics
    private let buffers: BufferPool
    private var idle: [EndpointAddress: [UpstreamConnection]] = [:]
    private var isShutDown = false

    init(
        eventLoop: any EventLoop,
        configuration: ProxyConfiguration,
        metrics: ProxyMetrics,
        buffers: BufferPool
    ) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.metrics = metrics
        self.buffers = buffers
    }

    /// An idle connection to `address`; `nil` when there is none.
    func takeIdle(_ address: EndpointAddress) -> UpstreamConnection? {
        idle[address]?.popLast()
    }

    /// Makes a new connection to `address`.
    func connect(_ address: EndpointAddress) -> EventLoopFuture<UpstreamConnection> {
        let connection = UpstreamConnection(address: address, pool: self, buffers: buffers)
        let bound = NIOLoopBound(connection, eventLoop: eventLoop)
        let tls = address.isSecure ? configuration.upstreamTLS : nil
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(.nanoseconds(configuration.connectTimeout.wholeNanoseconds))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.recvAllocator, value: ReceiveBuffers.upstream)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls {
                        try pipeline.addHandler(Self.tlsHandler(tls, host: address.host))
                    }
                    try pipeline.addHandler(bound.value)
                }
            }
        let channel =
            if let socketAddress = try? SocketAddress(ipAddress: address.host, port: address.port) {
                bootstrap.connect(to: socketAddress)
            } else {
                bootstrap.connect(host: address.host, port: address.port)
            }
        let connections = metrics.upstream
        return channel.map { channel in
            connections.opened()
            channel.closeFuture.whenComplete { _ in connections.closed() }
            return bound.value
        }
    }

    /// Takes a connection back whose response is whole.
    func putBack(_ connection: UpstreamConnection) {
        if !isShutDown, idle[connection.address, default: []].count < configuration.maxIdleConnectionsPerEndpoint {
            idle[connection.address, default: []].append(connection)
        } else {
            connection.closeIdle()
        }
    }

    /// Drops an idle connection that closed.
    func forget(_ connection: UpstreamConnection) {
        idle[connection.address]?.removeAll { $0 === connection }
        if idle[connection.address]?.isEmpty == true { idle[connection.address] = nil }
    }

    /// Closes connections that have been idle for too long.
    func closeIdle(before deadline: NIODeadline) {
        for (address, connections) in idle {
            let kept = connections.filter { $0.idleSince > deadline }
            if kept.count == connections.count, !kept.isEmpty { continue }
            idle[address] = kept.isEmpty ? nil : kept
            for connection in connections where connection.idleSince <= deadline { connection.closeIdle() }
        }
    }

    /// Closes every idle connection, and from now on each one that becomes idle: the end of a drain.
    func shutDown() {
        isShutDown = true
        let connections = idle.values.flatMap(\.self)
        idle = [:]
        for connection in connections { connection.closeIdle() }
    }

    private static func tlsHandler(_ context: NIOSSLContext, host: String) throws -> NIOSSLClientHandler {
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : host)
    }
}

/// How large the buffers are that sockets are read into.
enum ReceiveBuffers {
    /// Requests: small at first, up to 256 KiB for long prompts, so that one takes few reads.
    static let downstream = AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 4096, maximum: 256 << 10)
    /// Responses: mostly small events of a stream.
    static let upstream = AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 4096, maximum: 64 << 10)
}
