import NIOCore
import NIOHTTP1

/// One request on a connection and the way to answer it.
///
/// An exchange outlives its connection harmlessly: what is written after the client went away is dropped.
final class HTTPExchange {
    let head: HTTPRequestHead
    let body: ByteBuffer
    private weak var connection: SimulatorConnection?

    /// Called once if the client goes away before the answer is complete.
    var onDisconnect: (() -> Void)?

    init(head: HTTPRequestHead, body: ByteBuffer, connection: SimulatorConnection) {
        self.head = head
        self.body = body
        self.connection = connection
    }

    /// The path without the query.
    var path: Substring {
        head.uri.prefix { $0 != "?" }
    }

    /// Answers in one piece.
    func respond(_ status: HTTPResponseStatus, contentType: String? = "application/json", body: ByteBuffer) {
        onDisconnect = nil
        connection?.writeHead(status, contentType: contentType, contentLength: body.readableBytes)
        connection?.writeBody(body)
        connection?.writeEnd()
    }

    /// Answers in one piece.
    func respond(_ status: HTTPResponseStatus, contentType: String? = "application/json", text: String) {
        respond(status, contentType: contentType, body: ByteBuffer(string: text))
    }

    /// Begins a streamed answer.
    func beginStream() {
        connection?.writeHead(.ok, contentType: "text/event-stream; charset=utf-8", contentLength: nil)
        connection?.flush()
    }

    /// Continues a streamed answer.
    func write(_ buffer: ByteBuffer) {
        connection?.writeBody(buffer)
        connection?.flush()
    }

    /// Ends a streamed answer.
    func endStream() {
        onDisconnect = nil
        connection?.writeEnd()
    }

    /// Promises the whole of `body`, sends half of it and breaks off.
    func respondInHalf(body: ByteBuffer, reset: Bool) {
        connection?.writeHead(.ok, contentType: "application/json", contentLength: body.readableBytes)
        connection?.writeBody(body.getSlice(at: body.readerIndex, length: body.readableBytes / 2) ?? ByteBuffer())
        connection?.flush()
        breakOff(reset: reset)
    }

    /// Closes the connection amid the answer, with a reset or in good order.
    func breakOff(reset: Bool) {
        onDisconnect = nil
        connection?.close(reset: reset)
    }

    /// Tells the exchange that its client is gone.
    func disconnected() {
        let handler = onDisconnect
        onDisconnect = nil
        handler?()
    }
}
