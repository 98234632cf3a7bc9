import NIOCore
import NIOPosix
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// One thing that a ``ScriptedServer`` does on a connection.
package enum ScriptedStep: Sendable {
    /// Writes these bytes.
    case send(String)
    /// Writes this many blocks of this many bytes, each when the system has taken the one before; see
    /// ``ScriptedServer/bytesTaken``.
    case flood(blocks: Int, bytes: Int)
    /// Waits until the gate is open.
    case wait(ScriptedGate)
    /// Closes the connection in good order.
    case close
    /// Resets the connection: the other side loses what it has not read.
    case reset
}

/// A request as a ``ScriptedServer`` read it.
package struct ScriptedRequest: Sendable {
    /// The request line and the fields, without the empty line.
    package let head: String
    /// The body, as it came on the wire.
    package let body: String
    /// Counts the server's connections from 0.
    package let connection: Int
    /// Counts the requests of this connection from 0.
    package let position: Int

    /// The first line.
    package var line: String { String(head.prefix { $0 != "\r\n" }) }

    /// The fields in order, names in lower case.
    package var fields: [(name: String, value: String)] { RawResponse.fields(of: head) }

    /// The values of the field called `name`, ignoring case, in order.
    package func values(_ name: String) -> [String] {
        fields.filter { $0.name == name.lowercased() }.map(\.value)
    }
}

/// A server on loopback that plays scripts instead of speaking HTTP by itself: it answers, stays silent, breaks off and
/// resets exactly where a test says.
///
/// It understands just enough to tell requests apart: a head, and a body of `content-length` or in chunks. Safe from
/// any thread.
package final class ScriptedServer: Sendable {
    /// What happened so far.
    package struct Log: Sendable {
        /// The whole requests, in order of arrival.
        package var requests: [ScriptedRequest] = []
        /// How many connections were accepted.
        package var accepted = 0
        /// How many connections are over, by whoever ended them.
        package var closed = 0
    }

    /// What happened so far; tests wait on it.
    package let log = ObservedState(Log())
    /// The port on 127.0.0.1.
    package let port: Int
    private let taken = Atomic<Int>(0)
    private let channel: any Channel
    private let open = Mutex<[ObjectIdentifier: any Channel]>([:])

    private init(channel: any Channel, port: Int) {
        self.channel = channel
        self.port = port
    }

    /// Bytes of ``ScriptedStep/flood(blocks:bytes:)`` that the system has taken from the server.
    package var bytesTaken: Int { taken.load(ordering: .relaxed) }

    /// Starts a server on a free port.
    ///
    /// - Parameters:
    ///   - accepting: what it does on each new connection, before it reads.
    ///   - answer: what it does for each request; no steps for no answer.
    package static func start(
        accepting: [ScriptedStep] = [],
        answer: @escaping @Sendable (ScriptedRequest) -> [ScriptedStep]
    ) async throws -> ScriptedServer {
        let box = Mutex<ScriptedServer?>(nil)
        let ready = ScriptedGate()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                ready.whenOpen {
                    guard let server = box.withLock({ $0 }) else { return }
                    channel.eventLoop.execute { server.adopt(channel, accepting: accepting, answer: answer) }
                }
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            .bind(host: "127.0.0.1", port: 0).get()
        guard let port = channel.localAddress?.port else { throw ChannelError.unknownLocalAddress }
        let server = ScriptedServer(channel: channel, port: port)
        box.withLock { $0 = server }
        ready.open()
        return server
    }

    /// A port of 127.0.0.1 on which nobody listens.
    package static func refusedPort() async throws -> Int {
        let server = try await start { _ in [] }
        try await server.stop()
        return server.port
    }

    /// Stops listening and resets the connections that are left.
    package func stop() async throws {
        try await channel.close()
        for channel in open.withLock({ Array($0.values) }) {
            try? await channel.close().get()
        }
    }

    private func adopt(
        _ channel: any Channel,
        accepting: [ScriptedStep],
        answer: @escaping @Sendable (ScriptedRequest) -> [ScriptedStep]
    ) {
        let number = log.value.accepted
        let id = ObjectIdentifier(channel)
        open.withLock { $0[id] = channel }
        channel.closeFuture.whenComplete { _ in
            _ = self.open.withLock { $0.removeValue(forKey: id) }
            self.log.update { $0.closed += 1 }
        }
        log.update { $0.accepted += 1 }
        let connection = ScriptedConnection(number: number, server: self, accepting: accepting, answer: answer)
        try? channel.pipeline.syncOperations.addHandler(connection)
        try? channel.syncOptions?.setOption(.autoRead, value: true)
    }

    fileprivate func noteTaken(_ bytes: Int) {
        taken.wrappingAdd(bytes, ordering: .relaxed)
    }
}

/// One connection of a ``ScriptedServer``; confined to its event loop.
private final class ScriptedConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let number: Int
    private let server: ScriptedServer
    private let answer: @Sendable (ScriptedRequest) -> [ScriptedStep]
    private var received: [UInt8] = []
    private var requestCount = 0
    private var steps: CircularBuffer<ScriptedStep>
    private var isPlaying = false
    private var context: ChannelHandlerContext?

    init(
        number: Int,
        server: ScriptedServer,
        accepting: [ScriptedStep],
        answer: @escaping @Sendable (ScriptedRequest) -> [ScriptedStep]
    ) {
        self.number = number
        self.server = server
        self.answer = answer
        steps = CircularBuffer(accepting)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        play()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received += unwrapInboundIn(data).readableBytesView
        while let request = takeRequest() {
            server.log.update { $0.requests.append(request) }
            steps += answer(request)
        }
        play()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func takeRequest() -> ScriptedRequest? {
        guard let end = received.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let head = String(decoding: received[..<end.lowerBound], as: UTF8.self)
        let fields = RawResponse.fields(of: head)
        let rest = received[end.upperBound...]
        let length: Int
        if fields.contains(where: { $0.name == "transfer-encoding" }) {
            guard let last = rest.firstRange(of: Array("0\r\n\r\n".utf8)) else { return nil }
            length = last.upperBound - rest.startIndex
        } else {
            length = fields.first { $0.name == "content-length" }.flatMap { Int($0.value) } ?? 0
        }
        guard rest.count >= length else { return nil }
        let body = String(decoding: rest.prefix(length), as: UTF8.self)
        received.removeFirst(end.upperBound + length)
        defer { requestCount += 1 }
        return ScriptedRequest(head: head, body: body, connection: number, position: requestCount)
    }

    private func play() {
        guard !isPlaying, let context, let step = steps.popFirst() else { return }
        isPlaying = true
        let loop = context.eventLoop
        let channel = context.channel
        let bound = NIOLoopBound(self, eventLoop: loop)
        let goOn: @Sendable () -> Void = { loop.execute { bound.value.stepEnded() } }
        switch step {
        case .send(let text):
            channel.writeAndFlush(ByteBuffer(string: text)).whenComplete { _ in goOn() }
        case .flood(let blocks, let bytes):
            flood(channel, blocks: blocks, block: ByteBuffer(repeating: UInt8(ascii: "x"), count: bytes), then: goOn)
        case .wait(let gate):
            gate.whenOpen(goOn)
        case .close:
            channel.close(promise: nil)
        case .reset:
            _ = (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
            channel.close(promise: nil)
        }
    }

    private func stepEnded() {
        isPlaying = false
        play()
    }

    private func flood(
        _ channel: any Channel,
        blocks: Int,
        block: ByteBuffer,
        then goOn: @escaping @Sendable () -> Void
    ) {
        guard blocks > 0 else { return goOn() }
        let bound = NIOLoopBound(self, eventLoop: channel.eventLoop)
        channel.writeAndFlush(block).whenSuccess {
            let connection = bound.value
            connection.server.noteTaken(block.readableBytes)
            channel.eventLoop.execute { bound.value.flood(channel, blocks: blocks - 1, block: block, then: goOn) }
        }
    }
}
