import GatewayCore
import NIOCore
import RequestControl
import Telemetry
import Transport

/// Everything of the proxy that belongs to one event loop: its client connections and its connections to endpoints.
///
/// Confined to the loop. A request lives on one loop from its first byte to its last, so nothing on its way is locked.
final class ProxyLoop: ServerLoop {
    let controller: RequestController
    let configuration: ProxyConfiguration
    let metrics: ProxyMetrics
    let upstreams: UpstreamPool
    /// What heads and small bodies are written into.
    let writeBuffers = BufferPool()
    /// What clients' connections are read into.
    let receiveBuffers = BufferPool()
    private(set) var isDraining = false
    private let eventLoop: any EventLoop
    private var clients: [ObjectIdentifier: ClientSession] = [:]
    private var http2Connections: [ObjectIdentifier: HTTP2ConnectionHandler] = [:]
    private var pending: [ObjectIdentifier: any Channel] = [:]
    private var whenEmpty: EventLoopPromise<Void>?

    init(eventLoop: any EventLoop, controller: RequestController, configuration: ProxyConfiguration) {
        self.eventLoop = eventLoop
        self.controller = controller
        self.configuration = configuration
        metrics = controller.metrics.proxy
        upstreams = UpstreamPool(
            eventLoop: eventLoop,
            configuration: configuration,
            metrics: metrics,
            buffers: writeBuffers
        )
    }

    func add(_ client: ClientSession) {
        clients[ObjectIdentifier(client)] = client
    }

    func remove(_ client: ClientSession) {
        clients[ObjectIdentifier(client)] = nil
        finishIfEmpty()
    }

    /// A connection whose protocol is not known yet.
    func add(pending detector: ProtocolDetector, channel: any Channel) {
        pending[ObjectIdentifier(detector)] = channel
        if isDraining { channel.close(promise: nil) }
    }

    func remove(pending detector: ProtocolDetector) {
        pending[ObjectIdentifier(detector)] = nil
        finishIfEmpty()
    }

    func add(_ connection: HTTP2ConnectionHandler) {
        http2Connections[ObjectIdentifier(connection)] = connection
    }

    func remove(_ connection: HTTP2ConnectionHandler) {
        http2Connections[ObjectIdentifier(connection)] = nil
        finishIfEmpty()
    }

    /// Closes what has been waited for too long. Called about once a second, which is exact enough for timeouts of ten
    /// seconds and more and costs nothing per request.
    func sweep(at now: NIODeadline) {
        for client in Array(clients.values) { client.sweep(now) }
        for connection in Array(http2Connections.values) { connection.sweep(now) }
        upstreams.closeIdle(before: now - .nanoseconds(configuration.upstreamIdleTimeout.wholeNanoseconds))
    }

    /// Lets running requests finish and closes every connection behind its last one. The future succeeds when none is
    /// left.
    func drain() -> EventLoopFuture<Void> {
        if let whenEmpty { return whenEmpty.futureResult }
        isDraining = true
        let promise = eventLoop.makePromise(of: Void.self)
        whenEmpty = promise
        for client in Array(clients.values) { client.drain() }
        for connection in Array(http2Connections.values) { connection.drain() }
        for channel in Array(pending.values) { channel.close(promise: nil) }
        finishIfEmpty()
        return promise.futureResult
    }

    /// Ends every request that is still running.
    func abort() {
        for client in Array(clients.values) { client.abort() }
        for connection in Array(http2Connections.values) { connection.abort() }
    }

    private func finishIfEmpty() {
        guard clients.isEmpty, http2Connections.isEmpty, pending.isEmpty, let promise = whenEmpty else { return }
        whenEmpty = nil
        upstreams.shutDown()
        promise.succeed()
    }
}
