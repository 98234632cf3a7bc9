import GatewayCore
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// A server on the loopback that answers each request with bytes as they are written here.
final class ScriptedServer: Sendable {
    /// What the server does with a request.
    enum Reply: Sendable {
        /// Sends these bytes and keeps the connection.
        case send(String)
        /// Sends these pieces, each by itself.
        case sendPieces([String])
        /// Sends these bytes and closes the connection.
        case sendAndClose(String)
        /// Sends these bytes, and then the piece again and again, for as long as the other side listens: each time when
        /// the last one is on its way and a pause is over.
        case sendForEver(String, piece: String, pause: TimeAmount = .zero)
        /// Sends nothing and keeps the connection.
        case silence
    }

    /// What the server saw.
    struct Record: Sendable {
        /// Connections that were accepted.
        var connections = 0
        /// Request heads, each whole.
        var requests: [String] = []
        /// Bytes of pieces that were sent for ever.
        var endlessBytes = 0
    }

    private struct State {
        var record = Record()
        var channels: [any Channel] = []
        var open = 0
        var watchers: [(isMet: @Sendable (Record, Int) -> Bool, promise: EventLoopPromise<Void>)] = []
    }

    private let state = Mutex(State())
    private let listener = Mutex<(any Channel)?>(nil)
    private let group: any EventLoopGroup

    private init(group: any EventLoopGroup) {
        self.group = group
    }

    /// Runs a server while `body` does. `reply` gets the number of the request on the server, from 0.
    static func run(
        on group: any EventLoopGroup,
        tls: NIOSSLContext? = nil,
        reply: @escaping @Sendable (Int) -> Reply,
        _ body: (ScriptedServer) async throws -> Void
    ) async throws {
        let server = ScriptedServer(group: group)
        let channel = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
                    }
                    try channel.pipeline.syncOperations.addHandler(ScriptedHandler(server: server, reply: reply))
                }
            }
            .bind(host: "127.0.0.1", port: 0)
            .get()
        server.listener.withLock { $0 = channel }
        do {
            try await body(server)
        } catch {
            try await server.stop()
            throw error
        }
        try await server.stop()
    }

    /// The port that the server listens on.
    var port: Int { listener.withLock { $0?.localAddress?.port } ?? 0 }

    /// The server as an endpoint.
    func address(host: String = "127.0.0.1", isSecure: Bool = false) -> EndpointAddress {
        EndpointAddress(host: host, port: port, isSecure: isSecure)
    }

    /// What the server saw so far.
    var record: Record { state.withLock { $0.record } }

    /// Closes the connections that are open now; the server goes on.
    func closeConnections() async throws {
        for channel in state.withLock({ $0.channels }) {
            channel.close(promise: nil)
            try await channel.closeFuture.get()
        }
    }

    /// Waits until the server has seen `count` requests.
    func waitForRequests(_ count: Int) async throws {
        try await wait { record, _ in record.requests.count >= count }
    }

    /// Waits until no connection to the server is open.
    func waitUntilUnconnected() async throws {
        try await wait { _, open in open == 0 }
    }

    /// Stops listening; open connections go on.
    func stopListening() async throws {
        try await listener.withLock { $0 }?.close().get()
    }

    private func stop() async throws {
        if let channel = listener.withLock({ $0 }), channel.isActive { try await channel.close().get() }
        try await closeConnections()
    }

    private func wait(_ isMet: @escaping @Sendable (Record, Int) -> Bool) async throws {
        let promise = group.next().makePromise(of: Void.self)
        let isMetNow = state.withLock { state in
            if isMet(state.record, state.open) { return true }
            state.watchers.append((isMet, promise))
            return false
        }
        if isMetNow { promise.succeed() }
        try await promise.futureResult.get()
    }

    fileprivate func connected(_ channel: any Channel) {
        change { state in
            state.record.connections += 1
            state.open += 1
            state.channels.append(channel)
        }
    }

    fileprivate func disconnected(_ channel: any Channel) {
        change { state in
            state.open -= 1
            state.channels.removeAll { $0 === channel }
        }
    }

    fileprivate func received(_ request: String) -> Int {
        change { state in
            state.record.requests.append(request)
            return state.record.requests.count - 1
        }
    }

    fileprivate func sent(_ count: Int) {
        change { $0.record.endlessBytes += count }
    }

    private func change<Result: Sendable>(_ body: (inout State) -> sending Result) -> Result {
        let (result, met) = state.withLock { state in
            let result = body(&state)
            let met = state.watchers.filter { $0.isMet(state.record, state.open) }.map(\.promise)
            state.watchers.removeAll { $0.isMet(state.record, state.open) }
            return (result, met)
        }
        for promise in met { promise.succeed() }
        return result
    }
}

/// Finds the ends of request heads and answers each.
private final class ScriptedHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let server: ScriptedServer
    private let reply: @Sendable (Int) -> ScriptedServer.Reply
    private var received = ""

    init(server: ScriptedServer, reply: @escaping @Sendable (Int) -> ScriptedServer.Reply) {
        self.server = server
        self.reply = reply
    }

    func channelActive(context: ChannelHandlerContext) {
        server.connected(context.channel)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        server.disconnected(context.channel)
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received += String(buffer: unwrapInboundIn(data))
        while let end = received.firstRange(of: "\r\n\r\n") {
            let request = String(received[..<end.lowerBound])
            received.removeSubrange(..<end.upperBound)
            answer(reply(server.received(request)), context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func answer(_ reply: ScriptedServer.Reply, _ context: ChannelHandlerContext) {
        switch reply {
        case .send(let text): send(text, context)
        case .sendPieces(let pieces): for piece in pieces { send(piece, context) }
        case .sendAndClose(let text):
            send(text, context)
            context.close(promise: nil)
        case .sendForEver(let text, let piece, let pause):
            send(text, context)
            sendForEver(context.channel.allocator.buffer(string: piece), pause: pause, context)
        case .silence: break
        }
    }

    /// Ends when a piece cannot be sent any more.
    private func sendForEver(_ piece: ByteBuffer, pause: TimeAmount, _ context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(piece)).whenSuccess {
            let (handler, context) = bound.value
            handler.server.sent(piece.readableBytes)
            context.eventLoop.scheduleTask(in: pause) {
                let (handler, context) = bound.value
                handler.sendForEver(piece, pause: pause, context)
            }
        }
    }

    private func send(_ text: String, _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(string: text)), promise: nil)
    }
}
