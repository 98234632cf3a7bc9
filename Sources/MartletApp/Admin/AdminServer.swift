import GatewayCore
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import ServiceLifecycle

/// An answer of the admin server.
struct AdminResponse: Sendable {
    var status: HTTPResponseStatus = .ok
    var contentType: String
    var body: [UInt8]

    /// A short text.
    static func text(_ text: String, status: HTTPResponseStatus = .ok) -> AdminResponse {
        AdminResponse(status: status, contentType: "text/plain; charset=utf-8", body: Array("\(text)\n".utf8))
    }

    /// A JSON document.
    static func json(_ bytes: [UInt8]) -> AdminResponse {
        AdminResponse(contentType: "application/json", body: bytes)
    }
}

/// A request to the admin server.
struct AdminRequest: Sendable {
    var method: HTTPMethod
    /// The path without query.
    var path: String
    /// What stands behind the `?`; empty when there is none.
    var query: Substring = ""
    /// The header fields.
    var headers = HeaderMap()
    /// The body; empty when there is none.
    var body: [UInt8] = []

    /// Whether it changes nothing.
    var isRead: Bool { method == .GET || method == .HEAD }

    /// The `accept` header; empty when absent.
    var accept: String { headers.first("accept") ?? "" }
}

/// Serves metrics, health and state on an address of its own, so that watching the gateway never waits behind its
/// traffic. It starts first and stops last.
struct AdminServer: Service {
    /// Where it listens.
    let address: SocketAddress
    private let channel: any Channel
    private let isSecure: Bool

    /// Where it can be asked.
    var url: String { "\(isSecure ? "https" : "http")://\(BindAddress(address))" }

    /// Binds `address`.
    ///
    /// - Throws: ``CommandError`` with `flag`, which said the address, when it cannot be bound.
    init(
        at address: BindAddress,
        flag: String,
        group: MultiThreadedEventLoopGroup,
        routes: AdminRoutes
    ) async throws {
        do {
            try await self.init(host: address.host, port: address.port, group: group, answer: routes.answer)
        } catch let error as IOError {
            throw CommandError("Cannot listen on \(flag) \(address): \(error).")
        }
    }

    /// Binds `host` and `port`; `answer` is called on the connection's event loop and must not block.
    ///
    /// - Parameter tls: asked for each new connection; `nil` for plain text.
    init(
        host: String,
        port: Int,
        group: MultiThreadedEventLoopGroup,
        tls: (@Sendable () -> NIOSSLContext)? = nil,
        answer: @escaping @Sendable (AdminRequest) -> AdminResponse
    ) async throws {
        channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls())) }
                    try pipeline.configureHTTPServerPipeline(withErrorHandling: true)
                    try pipeline.addHandler(IdleStateHandler(readTimeout: .seconds(120)))
                    try pipeline.addHandler(AdminHandler(answer: answer))
                }
            }
            .bind(host: host, port: port)
            .get()
        guard let address = channel.localAddress else { throw ChannelError.unknownLocalAddress }
        self.address = address
        isSecure = tls != nil
    }

    func run() async throws {
        try await gracefulShutdown()
        try await channel.close()
    }
}

private final class AdminHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let answer: @Sendable (AdminRequest) -> AdminResponse
    private var head: HTTPRequestHead?
    /// The body, as far as it was taken.
    private var body: [UInt8] = []
    private var isBodyTooLarge = false

    /// The longest body: that of the longest request that a gateway takes.
    private static let bodyBytesMax = GatewayLimits().maxBodyBytes

    init(answer: @escaping @Sendable (AdminRequest) -> AdminResponse) {
        self.answer = answer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body(let piece): take(piece)
        case .end:
            guard let head else { return }
            self.head = nil
            respond(to: head, context: context)
            body = []
            isBodyTooLarge = false
        }
    }

    private func take(_ piece: ByteBuffer) {
        isBodyTooLarge = isBodyTooLarge || body.count + piece.readableBytes > Self.bodyBytesMax
        if isBodyTooLarge { body = [] } else { body += piece.readableBytesView }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func respond(to head: HTTPRequestHead, context: ChannelHandlerContext) {
        let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let request = AdminRequest(
            method: head.method,
            path: String(parts.first ?? ""),
            query: parts.count > 1 ? parts[1] : "",
            headers: HeaderMap(head.headers.map { HeaderMap.Field(name: $0.name, value: $0.value) }),
            body: body
        )
        let response =
            isBodyTooLarge
            ? .text("the body has more than \(Self.bodyBytesMax) bytes", status: .payloadTooLarge) : answer(request)
        var headers = HTTPHeaders()
        headers.add(name: "content-type", value: response.contentType)
        headers.add(name: "content-length", value: String(response.body.count))
        headers.add(name: "cache-control", value: "no-store")
        if !head.isKeepAlive { headers.add(name: "connection", value: "close") }
        let responseHead = HTTPResponseHead(version: head.version, status: response.status, headers: headers)
        context.write(wrapOutboundOut(.head(responseHead)), promise: nil)
        if head.method != .HEAD {
            let body = context.channel.allocator.buffer(bytes: response.body)
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        }
        let channel = context.channel
        let isLast = !head.isKeepAlive
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in
            if isLast { channel.close(promise: nil) }
        }
    }
}
