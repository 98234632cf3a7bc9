import GatewayCore
import GatewayTesting
import NIOCore
import NIOEmbedded
import RequestControl

@testable import ReverseProxy

/// The proxy's handlers on channels in memory, with time that a test moves.
final class EmbeddedProxy {
    let eventLoop = EmbeddedEventLoop()
    let gateway: GatewayFixture
    let loop: ProxyLoop

    /// Makes a proxy to one endpoint, which is never retried: an embedded loop cannot connect.
    init(
        limits: GatewayLimits = GatewayLimits(),
        rule: (inout RouteRule) -> Void = { _ in },
        configure: (inout ProxyConfiguration) -> Void = { _ in }
    ) throws {
        gateway = try GatewayFixture(ports: [8000], rule: rule, configuration: .init(limits: limits, seed: 1))
        var configuration = ProxyConfiguration(limits: limits)
        configure(&configuration)
        loop = ProxyLoop(eventLoop: eventLoop, controller: gateway.controller, configuration: configuration)
    }

    /// A client's connection; `slowness` holds what is written to a client that does not read.
    func client(slowness: SlowClient? = nil) throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(loop: eventLoop)
        if let slowness { try channel.pipeline.syncOperations.addHandler(slowness) }
        let session = ClientSession(loop: loop, listener: ListenerBinding(.standalone), isSecure: false)
        let client = HTTP1ClientHandler(session: session, limits: loop.configuration.limits, buffers: loop.writeBuffers)
        try channel.pipeline.syncOperations.addHandler(client)
        try activate(channel)
        return channel
    }

    /// A connection to the endpoint that is idle in the pool.
    @discardableResult
    func idleUpstream() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(loop: eventLoop)
        let connection = UpstreamConnection(
            address: EndpointAddress(host: "127.0.0.1", port: 8000), pool: loop.upstreams, buffers: loop.writeBuffers)
        try channel.pipeline.syncOperations.addHandler(connection)
        try activate(channel)
        loop.upstreams.putBack(connection)
        return channel
    }

    private func activate(_ channel: EmbeddedChannel) throws {
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        eventLoop.run()
    }
}

/// Holds writes until the client reads.
final class SlowClient: ChannelOutboundHandler {
    typealias OutboundIn = IOData

    private var held: [(data: NIOAny, promise: EventLoopPromise<Void>?)] = []

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        held.append((data, promise))
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        for (_, promise) in held { promise?.fail(ChannelError.ioOnClosedChannel) }
    }

    /// Lets the client read everything.
    func read(_ channel: EmbeddedChannel) throws {
        let context = try channel.pipeline.syncOperations.context(handler: self)
        for (data, promise) in held { context.write(data, promise: promise) }
        held = []
        context.flush()
        channel.embeddedEventLoop.run()
    }
}

extension EmbeddedChannel {
    /// Receives `text` from the other side.
    func receive(_ text: String) throws {
        try writeInbound(ByteBuffer(string: text))
        embeddedEventLoop.run()
    }

    /// Everything that was written and not taken yet, as text.
    func written() throws -> String {
        var text = ""
        while let data = try readOutbound(as: IOData.self) {
            if case .byteBuffer(let bytes) = data { text += String(buffer: bytes) }
        }
        return text
    }
}
