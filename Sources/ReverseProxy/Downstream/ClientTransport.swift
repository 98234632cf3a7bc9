import GatewayCore
import HTTP1Messages
import NIOCore
import RequestControl

/// What a ``ClientSession`` needs of the HTTP that its client speaks. Called on the connection's event loop.
protocol ClientTransport: AnyObject {
    /// Whether this is a stream of an HTTP/2 connection: its connection goes on whatever becomes of it.
    var isStream: Bool { get }
    /// Whether the client takes more bytes at once.
    var isWritable: Bool { get }
    /// The client's address as text.
    var clientAddress: String { get }
    /// The connection's event loop.
    var eventLoop: any EventLoop { get }
    /// Tells the client to send the body of its request.
    func writeContinue()
    /// Writes the head of a response.
    func writeHead(_ content: ResponseContent, framing: ClientResponseHead)
    /// Writes a piece of the response's body.
    func writeBody(_ bytes: ByteBuffer)
    /// Writes the end of the response, and flushes; `written` succeeds when the last byte has left.
    func writeEnd(written: EventLoopPromise<Void>?)
    /// Sends out what was written.
    func flush()
    /// The session takes requests again: those that wait, and what the client sends.
    func resume()
    /// Closes our direction: the client may go on sending.
    func closeOutput()
    /// Closes the connection or the stream.
    func close()
    /// Makes the coming close a reset, which a client cannot take for the end of a response.
    func resetOnClose()
}

/// Where the head of a response comes from.
enum ResponseContent {
    /// From an endpoint, with the changes of the route.
    case endpoint(ResponseHead, HeaderMutation)
    /// From the gateway itself.
    case reply(LocalReply)
}
