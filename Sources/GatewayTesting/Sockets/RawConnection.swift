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

/// A client's connection on loopback that sends and receives bytes as a test says, well-formed or not. Safe from any
/// thread.
package final class RawConnection: Sendable {
    /// What the connection has received.
    package struct Received: Sendable {
        /// All bytes that ``RawConnection/response(isHead:)`` has not taken yet.
        package var bytes: ArraySlice<UInt8> = []
        /// Whether the other side ended the connection, in good order or not.
        package var isClosed = false
        /// Whether it ended with an error, such as a reset.
        package var isReset = false

        /// The bytes as text.
        package var text: String { String(decoding: bytes, as: UTF8.self) }
    }

    /// What was received and not taken; tests wait on it.
    package let received: ObservedState<Received>
    private let channel: any Channel

    private init(channel: any Channel, received: ObservedState<Received>) {
        self.channel = channel
        self.received = received
    }

    /// Connects to a port of 127.0.0.1.
    ///
    /// - Parameters:
    ///   - port: the port.
    ///   - isReading: whether it reads from the start; if not, ``read()`` starts it.
    ///   - receiveBuffer: the size of the system's buffer in bytes; `nil` for the system's choice.
    package static func connect(
        port: Int,
        isReading: Bool = true,
        receiveBuffer: Int? = nil
    ) async throws -> RawConnection {
        let received = ObservedState(Received())
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.autoRead, value: isReading)
            .channelOption(.allowRemoteHalfClosure, value: true)
        if let receiveBuffer {
            bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: .init(receiveBuffer))
        }
        let channel = try await bootstrap.channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(RawReceiver(received: received))
            }
        }.connect(host: "127.0.0.1", port: port).get()
        return RawConnection(channel: channel, received: received)
    }

    /// Sends text; returns when the system has taken it.
    package func send(_ text: String) async throws {
        try await channel.writeAndFlush(ByteBuffer(string: text))
    }

    /// Sends bytes and waits until the system has taken them.
    package func send(bytes: [UInt8]) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
    }

    /// Starts to read.
    package func read() async throws {
        try await channel.setOption(.autoRead, value: true).get()
    }

    /// Ends the own direction.
    package func finishSending() async throws {
        try await channel.close(mode: .output)
    }

    /// Closes the connection.
    package func close() async throws {
        try? await channel.close().get()
    }

    /// Resets the connection.
    package func reset() async throws {
        try await (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        try? await channel.close().get()
    }

    /// Waits for the next response and takes it. A response that breaks off is returned with `isWhole` false.
    package func response(isHead: Bool = false) async throws -> RawResponse {
        let state = try await received.wait(for: "a response") { state in
            RawResponse.take(from: state.bytes, isHead: isHead, isEnd: state.isClosed) != nil || state.isClosed
        }
        guard let (response, length) = RawResponse.take(from: state.bytes, isHead: isHead, isEnd: state.isClosed) else {
            throw WaitTimedOut(what: "a response on a connection that closed", state: state.text)
        }
        received.update { $0.bytes = $0.bytes.dropFirst(length) }
        return response
    }

    /// Sends a request and waits for its response.
    package func exchange(_ request: String, isHead: Bool = false) async throws -> RawResponse {
        try await send(request)
        return try await response(isHead: isHead)
    }

    /// Waits until the other side has closed the connection, and returns what it left behind.
    @discardableResult
    package func closed() async throws -> Received {
        try await received.wait(for: "the end of the connection") { $0.isClosed }
    }
}

/// Collects what a ``RawConnection`` receives.
private final class RawReceiver: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let received: ObservedState<RawConnection.Received>

    init(received: ObservedState<RawConnection.Received>) {
        self.received = received
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        received.update { $0.bytes += bytes.readableBytesView }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { received.update { $0.isClosed = true } }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        received.update { $0.isReset = true }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        received.update { $0.isClosed = true }
    }
}
