import NIOCore
import NIOHTTP1

/// An answer of the admin address that comes bit by bit: the way to one client. Its connection ends with it.
///
/// Whoever writes asks ``isWritable`` first and leaves out, or waits with, what there is no room for: nothing here
/// bounds what is written. Safe from any thread.
final class AdminStream: Sendable {
    private let channel: any Channel

    /// Makes a stream to the client of `channel`, whose pipeline speaks HTTP/1.1.
    init(_ channel: any Channel) {
        self.channel = channel
    }

    /// The loop of the client's connection.
    var eventLoop: any EventLoop { channel.eventLoop }

    /// Whether the client is still there.
    var isOpen: Bool { channel.isActive }

    /// Whether the client takes more; `false` while much of what was written has not gone out.
    var isWritable: Bool { channel.isWritable }

    /// Calls `work` once the client is gone, or the stream has ended; at once if it is already. Runs on ``eventLoop``.
    func whenClosed(_ work: @escaping @Sendable () -> Void) {
        channel.closeFuture.whenComplete { _ in work() }
    }

    /// Sends the head; to be called once and before anything else is written.
    func begin(status: HTTPResponseStatus = .ok, headers: HTTPHeaders) {
        var headers = headers
        headers.replaceOrAdd(name: "connection", value: "close")
        let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
        channel.writeAndFlush(HTTPServerResponsePart.head(head), promise: nil)
    }

    /// Sends a piece of the body.
    ///
    /// - Returns: when it has gone out.
    @discardableResult
    func write(_ bytes: ByteBuffer) -> EventLoopFuture<Void> {
        channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(bytes)))
    }

    /// Ends the answer and the connection.
    func end() {
        let channel = channel
        channel.writeAndFlush(HTTPServerResponsePart.end(nil)).whenComplete { _ in channel.close(promise: nil) }
    }

    /// Answers whole, in place of a head and a body that come later.
    func respond(_ response: AdminResponse) {
        begin(status: response.status, headers: response.fields)
        write(ByteBuffer(bytes: response.body))
        end()
    }

    /// Ends the connection in the middle of the answer: what was sent is not all.
    func abort() {
        channel.close(promise: nil)
    }
}
