import NIOCore
import NIOHPACK
import NIOHTTP2
import NIOPosix

/// A client of gRPC on one connection, which plays Envoy.
package struct ExtProcClient: Sendable {
    private let channel: any Channel
    private let multiplexer: NIOHTTP2Handler.StreamMultiplexer

    /// Connects to a server at 127.0.0.1 that speaks plain text.
    package static func connect(port: Int) async throws -> ExtProcClient {
        // In place before the connection is there: the server speaks first.
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        NIOHTTP2Handler(mode: .client, eventLoop: channel.eventLoop) { $0.close() }
                    )
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        let multiplexer = try await channel.pipeline.handler(type: NIOHTTP2Handler.self)
            .flatMap(\.multiplexer).get()
        return ExtProcClient(channel: channel, multiplexer: multiplexer)
    }

    /// Closes the connection.
    package func close() async throws {
        try await channel.close()
    }

    /// Waits until the server has closed the connection.
    package func closed() async throws {
        try await channel.closeFuture.get()
    }

    /// Opens a call.
    package func open(
        _ path: String = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
    ) async throws -> ExtProcStream {
        let state = ObservedState(ExtProcStream.State())
        let stream = try await multiplexer.createStreamChannel { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.pipeline.syncOperations.addHandler(CallReceiver(state: state))
            }
        }.get()
        let headers: HPACKHeaders = [
            ":method": "POST", ":path": path, ":scheme": "http", ":authority": "picker", "te": "trailers",
            "content-type": "application/grpc",
        ]
        try await stream.writeAndFlush(HTTP2Frame.FramePayload.headers(.init(headers: headers)))
        return ExtProcStream(channel: stream, state: state)
    }
}

/// One call of an ``ExtProcClient``.
package struct ExtProcStream: Sendable {
    /// What has come from the server.
    package struct State: Sendable {
        /// The messages, without their prefixes.
        package var messages: [[UInt8]] = []
        /// The status of the end; `nil` before it.
        package var status: Int?
        /// The message of the end.
        package var statusMessage = ""
        /// Whether the stream is closed.
        package var isClosed = false
        fileprivate var pending: [UInt8] = []

        /// The answers so far.
        package var replies: [EnvoyReply] { messages.map(EnvoyReply.init) }
    }

    private let channel: any Channel
    /// What has come from the server.
    package let state: ObservedState<State>

    fileprivate init(channel: any Channel, state: ObservedState<State>) {
        self.channel = channel
        self.state = state
    }

    /// Sends a message.
    package func send(_ message: EnvoyMessage) async throws {
        let length = UInt32(message.bytes.count)
        try await send(bytes: [0] + (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * $0)) } + message.bytes)
    }

    /// Sends bytes that may or may not be messages.
    package func send(bytes: [UInt8], isLast: Bool = false) async throws {
        let data = HTTP2Frame.FramePayload.Data(data: .byteBuffer(ByteBuffer(bytes: bytes)), endStream: isLast)
        try await channel.writeAndFlush(HTTP2Frame.FramePayload.data(data))
    }

    /// Resets the stream, as Envoy does when an exchange is over.
    package func reset() async {
        // It ends with the error that the stream was reset, or that it is closed already.
        try? await channel.close()
    }

    /// Waits for the `count`th answer and gives all so far.
    package func replies(_ count: Int) async throws -> [EnvoyReply] {
        try await state.wait(for: "\(count) answers") { $0.messages.count >= count || $0.status != nil }.replies
    }

    /// Waits for the end of the call.
    package func ended() async throws -> State {
        try await state.wait(for: "the end of a call") { $0.status != nil || $0.isClosed }
    }
}

/// Collects what a call receives.
private final class CallReceiver: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload

    private let state: ObservedState<ExtProcStream.State>

    init(state: ObservedState<ExtProcStream.State>) {
        self.state = state
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .headers(let headers):
            guard let status = headers.headers.first(name: "grpc-status") else { return }
            state.update { state in
                state.status = Int(status)
                state.statusMessage = headers.headers.first(name: "grpc-message") ?? ""
            }
        case .data(let data):
            guard case .byteBuffer(let bytes) = data.data else { return }
            state.update { $0.append(Array(bytes.readableBytesView)) }
        default: break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        state.update { $0.isClosed = true }
    }
}

extension ExtProcStream.State {
    fileprivate mutating func append(_ bytes: [UInt8]) {
        pending += bytes
        while pending.count >= 5 {
            let length = pending[1..<5].reduce(0) { $0 << 8 | Int($1) }
            guard pending.count >= 5 + length else { return }
            messages.append(Array(pending[5..<5 + length]))
            pending.removeFirst(5 + length)
        }
    }
}
