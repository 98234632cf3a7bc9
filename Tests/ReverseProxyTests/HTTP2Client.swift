import GatewayTesting
import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOPosix

/// A client of HTTP/2 with prior knowledge.
struct HTTP2Client {
    /// What a stream has received.
    struct Response: Sendable {
        var status = 0
        var headers: [String: String] = [:]
        var body = ""
        var isWhole = false
        var isClosed = false
    }

    /// A stream and what it receives.
    struct Stream {
        let channel: any Channel
        let response: ObservedState<Response>

        func send(_ part: HTTPClientRequestPart) async throws {
            try await channel.writeAndFlush(part)
        }

        /// Waits for the end of the stream.
        func ended() async throws -> Response {
            try await response.wait(for: "the end of a stream", timeout: .seconds(30)) { $0.isClosed }
        }
    }

    let channel: any Channel
    private let multiplexer: NIOHTTP2Handler.StreamMultiplexer

    static func connect(port: Int) async throws -> HTTP2Client {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port).get()
        let multiplexer = try await channel.configureHTTP2Pipeline(
            mode: .client,
            connectionConfiguration: .init(),
            streamConfiguration: .init()
        ) { $0.close() }.get()
        return HTTP2Client(channel: channel, multiplexer: multiplexer)
    }

    /// Opens a stream.
    func open(isReading: Bool = true) async throws -> Stream {
        let response = ObservedState(Response())
        let channel = try await multiplexer.createStreamChannel { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.syncOptions?.setOption(.autoRead, value: isReading)
                try stream.pipeline.syncOperations.addHandler(HTTP2FramePayloadToHTTP1ClientCodec(httpProtocol: .http))
                try stream.pipeline.syncOperations.addHandler(StreamReceiver(response: response))
            }
        }.get()
        return Stream(channel: channel, response: response)
    }

    /// Sends a whole request on a stream of its own.
    func send(_ method: HTTPMethod, _ path: String, body: String? = nil, isReading: Bool = true) async throws -> Stream
    {
        let stream = try await open(isReading: isReading)
        let head = HTTPRequestHead(version: .http2, method: method, uri: path, headers: ["host": "localhost"])
        try await stream.send(.head(head))
        if let body { try await stream.send(.body(.byteBuffer(ByteBuffer(string: body)))) }
        try await stream.send(.end(nil))
        return stream
    }
}

/// Collects what a stream receives.
private final class StreamReceiver: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let response: ObservedState<HTTP2Client.Response>

    init(response: ObservedState<HTTP2Client.Response>) {
        self.response = response
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            response.update { response in
                response.status = Int(head.status.code)
                for (name, value) in head.headers { response.headers[name] = value }
            }
        case .body(let bytes): response.update { $0.body += String(buffer: bytes) }
        case .end: response.update { $0.isWhole = true }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        response.update { $0.isClosed = true }
    }
}
