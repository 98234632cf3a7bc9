import GatewayCore
import GatewayTesting
import NIOCore
import NIOEmbedded
import RequestControl

@testable import ExtProcServer

/// A connection that keeps what its streams write.
final class RecordingConnection: GRPCConnection {
    let embedded = EmbeddedEventLoop()
    private(set) var began: Set<Int> = []
    private(set) var bytes: [Int: [UInt8]] = [:]
    private(set) var ends: [Int: GRPCStatus] = [:]
    private(set) var allowed: [Int: Int] = [:]
    /// Whether the client takes bytes; those written before it does are kept until then.
    var takesBytes = true {
        didSet { if takesBytes { release() } }
    }
    private(set) var flushCount = 0
    /// What a flush makes happen.
    var onFlush: () -> Void = {}
    private var waiting: [EventLoopPromise<Void>] = []

    var eventLoop: any EventLoop { embedded }

    func writeHeaders(_ stream: Int) {
        began.insert(stream)
    }

    func writeData(_ bytes: ByteBuffer, _ stream: Int, written: EventLoopPromise<Void>?) {
        self.bytes[stream, default: []] += bytes.readableBytesView
        if let written { waiting.append(written) }
        if takesBytes { release() }
    }

    func writeEnd(_ status: GRPCStatus, _ stream: Int, isBegun: Bool, isClientDone: Bool) {
        ends[stream] = status
    }

    func allow(bytes: Int, _ stream: Int) {
        allowed[stream, default: 0] += bytes
    }

    func flush() {
        flushCount += 1
        onFlush()
    }

    private func release() {
        let promises = waiting
        waiting = []
        for promise in promises { promise.succeed() }
        embedded.run()
    }
}

/// One ext_proc call without a socket.
final class CallHarness {
    static let window = 1 << 16

    let connection = RecordingConnection()
    let stream: GRPCStream
    private(set) var isClosed = false
    private var taken = 0

    init(_ gateway: GatewayFixture, configuration: ExternalProcessorConfiguration = .init()) {
        var server = GRPCServerConfiguration()
        server.streamWindowBytes = Self.window
        stream = GRPCStream(1, connection: connection, configuration: server)
        let service = ExternalProcessorService(
            controller: gateway.controller,
            routes: .standalone,
            configuration: configuration
        )
        guard let call = service.makeCall(path: ExternalProcessorService.path, stream: stream) else {
            preconditionFailure("the service knows its own path")
        }
        stream.start(call)
    }

    /// Sends a message, cut into pieces of at most `piece` bytes.
    func send(_ message: EnvoyMessage, piece: Int = .max) {
        let length = UInt32(message.bytes.count)
        let prefix = [0] + (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * $0)) }
        send(bytes: prefix + message.bytes, piece: piece)
    }

    /// Sends bytes.
    func send(bytes: [UInt8], piece: Int = .max) {
        var rest = bytes[...]
        repeat {
            stream.received(ByteBuffer(bytes: rest.prefix(piece)))
            rest = rest.dropFirst(piece)
        } while !rest.isEmpty
        stream.handOver()
    }

    /// Ends the stream, as a reset does.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        stream.closed()
    }

    /// The status that the server ended the call with.
    var status: GRPCStatus? { connection.ends[1] }

    /// All answers so far.
    var replies: [EnvoyReply] {
        var rest = (connection.bytes[1] ?? [])[...]
        var replies: [EnvoyReply] = []
        while rest.count >= 5 {
            let length = rest.dropFirst().prefix(4).reduce(0) { $0 << 8 | Int($1) }
            replies.append(EnvoyReply(Array(rest.dropFirst(5).prefix(length))))
            rest = rest.dropFirst(5 + length)
        }
        return replies
    }

    /// The answers that came since the last call.
    func newReplies() -> [EnvoyReply] {
        defer { taken = replies.count }
        return Array(replies.dropFirst(taken))
    }
}

extension EnvoyMessage {
    /// The headers of a completion request.
    static func completionHeaders(
        _ more: [(name: String, value: String)] = [],
        isLast: Bool = false,
        valuesFirst: Bool = false
    ) -> EnvoyMessage {
        .requestHeaders(
            [
                (name: ":method", value: "POST"), (name: ":path", value: "/v1/completions"),
                (name: ":authority", value: "localhost"), (name: "content-type", value: "application/json"),
            ] + more,
            isLast: isLast,
            valuesFirst: valuesFirst
        )
    }

    /// Full duplex both ways.
    var fullDuplex: EnvoyMessage { modes(request: 4, response: 4) }

    /// The headers of a response.
    static func answerHeaders(
        _ status: Int = 200,
        type: String = "application/json",
        trailer: String? = nil
    ) -> EnvoyMessage {
        .responseHeaders(
            [(name: ":status", value: String(status)), (name: "content-type", value: type)]
                + (trailer.map { [(name: "trailer", value: $0)] } ?? [])
        )
    }
}

/// A completion for the model `m`.
let completionBody = Array(#"{"model":"m","prompt":"hello"}"#.utf8)
