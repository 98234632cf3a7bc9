import GatewayCore
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import RequestFormats

/// One request of the playground, on its way through a listener of the gateway and back.
struct PlaygroundCall: Sendable {
    /// Where to connect.
    struct Listener: Sendable {
        let address: BindAddress
        let isSecure: Bool

        /// Reads a URL as the gateway writes those of its listeners; `nil` for another.
        init?(url: String) {
            guard let scheme = ["https://", "http://"].first(where: url.hasPrefix),
                let address = try? BindAddress(String(url.dropFirst(scheme.count)), flag: "listener")
            else { return nil }
            isSecure = scheme == "https://"
            // What listens on every address of the machine listens on this one.
            let local = ["0.0.0.0": "127.0.0.1", "::": "::1"]
            self.address = BindAddress(host: local[address.host] ?? address.host, port: address.port)
        }
    }

    let listener: Listener
    let path: String
    let headers: [(name: String, value: String)]
    let body: ByteBuffer

    /// What is about the connection, or said by the body.
    private static let reserved: Set<String> = [
        "connection", "content-length", "expect", "keep-alive", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade",
    ]
    private static let connectTimeout = TimeAmount.seconds(5)
    /// How long the listener may take until it has the request: over TLS that begins with its part of the handshake.
    private static let sendTimeout = TimeAmount.seconds(10)

    /// The listener does not take the request.
    private struct Overdue: Error, CustomStringConvertible {
        let description = "it did not take the request in time"
    }

    /// Whether a header field can be sent.
    static func allows(_ name: String, _ value: String) -> Bool {
        let isToken = name.utf8.allSatisfy { byte in
            byte < 0x7F && byte > 0x20 && !#""(),/:;<=>?@[\]{}"#.utf8.contains(byte)
        }
        return !name.isEmpty && isToken && !reserved.contains(name.lowercased()) && FieldValueFault(value) == nil
    }

    /// Sends the request, and what comes back to `stream` as it comes.
    func run(to stream: AdminStream) {
        let requestID = headers.first { $0.name.lowercased() == "x-request-id" }?.value ?? Self.freshID()
        let bootstrap = ClientBootstrap(group: stream.eventLoop)
            .connectTimeout(Self.connectTimeout)
            .channelOption(.autoRead, value: false)
            .channelInitializer { [listener] channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if listener.isSecure { try pipeline.addHandler(Self.tls()) }
                    try pipeline.addHTTPClientHandlers()
                    try pipeline.addHandler(PlaygroundRelay(stream, requestID: requestID))
                }
            }
        bootstrap.connect(host: listener.address.host, port: listener.address.port).whenComplete { result in
            switch result {
            case .failure(let error):
                stream.respond(.text("the listener cannot be reached: \(error)", status: .badGateway))
            case .success(let channel):
                stream.whenClosed { channel.close(promise: nil) }
                send(on: channel, requestID: requestID)
            }
        }
    }

    /// TLS to one's own listener, whose certificate is in other names than its address.
    private static func tls() throws -> NIOSSLClientHandler {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        configuration.applicationProtocols = ["http/1.1"]
        return try NIOSSLClientHandler(context: NIOSSLContext(configuration: configuration), serverHostname: nil)
    }

    private func send(on channel: any Channel, requestID: String) {
        var fields = HTTPHeaders(headers)
        if !fields.contains(name: "host") { fields.add(name: "host", value: listener.address.description) }
        if !fields.contains(name: "content-type") { fields.add(name: "content-type", value: "application/json") }
        fields.replaceOrAdd(name: "x-request-id", value: requestID)
        fields.add(name: "content-length", value: String(body.readableBytes))
        fields.add(name: "connection", value: "close")
        let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: path, headers: fields)
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        channel.write(HTTPClientRequestPart.body(.byteBuffer(body)), promise: nil)
        let sent = channel.writeAndFlush(HTTPClientRequestPart.end(nil))
        let limit = channel.eventLoop.scheduleTask(in: Self.sendTimeout) {
            channel.pipeline.fireErrorCaught(Overdue())
        }
        sent.whenComplete { _ in limit.cancel() }
        // At once: TLS keeps the request back until the handshake is done, which must be read.
        channel.read()
    }

    private static func freshID() -> String {
        "playground-" + String(UInt64.random(in: .min ... .max), radix: 16)
    }
}

/// Hands the response of a listener on to the page, each piece when the last one has gone out.
private final class PlaygroundRelay: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let stream: AdminStream
    private let requestID: String
    /// When what was read last has gone out.
    private var written: EventLoopFuture<Void>?
    private var hasBegun = false
    private var hasEnded = false

    init(_ stream: AdminStream, requestID: String) {
        self.stream = stream
        self.requestID = requestID
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            // What is only about the way here.
            if (100..<200).contains(head.status.code) { return }
            begin(head)
        case .body(let bytes):
            written = stream.write(bytes)
        case .end:
            hasEnded = true
            stream.end()
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard !hasEnded else { return }
        guard let written else { return context.read() }
        self.written = nil
        let channel = context.channel
        written.whenComplete { _ in channel.read() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail("the listener's answer cannot be read: \(error)")
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail("the listener closed the connection without an answer")
        context.fireChannelInactive()
    }

    /// Begins the answer: always with 200, for it is the answer about the answer.
    private func begin(_ head: HTTPResponseHead) {
        var writer = JSONWriter()
        writer.beginObject()
        var names: Set<String> = []
        for (name, _) in head.headers where names.insert(name.lowercased()).inserted {
            writer.field(name.lowercased(), head.headers[name].joined(separator: ", "))
        }
        writer.endObject()
        hasBegun = true
        stream.begin(headers: [
            "content-type": head.headers.first(name: "content-type") ?? "application/octet-stream",
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            "x-playground-status": String(head.status.code),
            "x-playground-headers": String(decoding: writer.bytes, as: UTF8.self),
            "x-request-id": requestID,
        ])
    }

    /// Ends the answer to the page, unless it has ended.
    private func fail(_ reason: String) {
        guard !hasEnded else { return }
        hasEnded = true
        if hasBegun { stream.abort() } else { stream.respond(.text(reason, status: .badGateway)) }
    }
}
