import GatewayCore
import HTTP1Messages
import NIOCore
import NIOHTTP1
import RequestControl

/// One stream of a client's HTTP/2 connection, behind the codec that makes its frames into parts of messages.
final class HTTP2StreamHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    let session: ClientSession
    private var context: ChannelHandlerContext?

    init(session: ClientSession) {
        self.session = session
    }

    // MARK: ChannelHandler

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        session.opened(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        session.removed()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        session.noteActivity()
        guard session.state.takesInput else { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            do throws(MessageFault) {
                session.take(.head(try RequestHead(head)))
            } catch {
                session.inputIsFaulty(error)
            }
        case .body(let bytes): session.take(.body(bytes))
        case .end: session.take(.end)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        session.writabilityChanged(context.channel.isWritable)
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        session.closed()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { session.inputClosed(isInsideRequest: false) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        session.failed()
    }

    private func write(_ part: HTTPServerResponsePart) {
        context?.write(wrapOutboundOut(part), promise: nil)
    }
}

extension HTTP2StreamHandler: ClientTransport {
    var isStream: Bool { true }

    var isWritable: Bool { context?.channel.isWritable ?? false }

    /// The parent of a stream is its connection.
    var clientAddress: String { context?.channel.parent?.remoteAddress?.ipAddress ?? "" }

    var eventLoop: any EventLoop {
        guard let context else { preconditionFailure("a session uses its transport only while that has a channel") }
        return context.eventLoop
    }

    func writeContinue() {
        context?.writeAndFlush(
            wrapOutboundOut(.head(HTTPResponseHead(version: .http2, status: .continue))), promise: nil)
    }

    func writeHead(_ content: ResponseContent, framing: ClientResponseHead) {
        switch content {
        case .endpoint(let head, let mutation):
            let status = HTTPResponseStatus(statusCode: head.status)
            let headers = head.headers(mutation, hasLength: framing.framing == .asAnnounced)
            write(.head(HTTPResponseHead(version: .http2, status: status, headers: headers)))
        case .reply(let reply):
            var headers = HTTPHeaders(reply.headers.map { ($0.name, $0.value) })
            headers.add(name: "content-length", value: String(reply.body.count))
            let status = HTTPResponseStatus(statusCode: reply.status)
            write(.head(HTTPResponseHead(version: .http2, status: status, headers: headers)))
        }
    }

    func writeBody(_ bytes: ByteBuffer) {
        write(.body(.byteBuffer(bytes)))
    }

    func writeEnd(written: EventLoopPromise<Void>?) {
        guard let context else {
            written?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: written)
    }

    func flush() {
        context?.flush()
    }

    /// A stream has one request.
    func resume() {}

    func closeOutput() {}

    func close() {
        context?.close(promise: nil)
    }

    /// The close of a stream is its reset (RFC 9113, 5.1).
    func resetOnClose() {}
}

extension RequestHead {
    /// Reads the head that the codec made of a stream's header block.
    fileprivate init(_ head: HTTPRequestHead) throws(MessageFault) {
        try self.init(
            method: head.method.rawValue,
            target: head.uri,
            version: .http2,
            headers: HeaderMap(head.headers.map { HeaderMap.Field(name: $0.name, value: $0.value) })
        )
    }
}

extension ResponseHead {
    /// The fields that go to a client of HTTP/2, with the changes of the route.
    fileprivate func headers(_ mutation: HeaderMutation, hasLength: Bool) -> HTTPHeaders {
        let mutations = HeaderMutations(mutation.isEmpty ? [] : [mutation])
        var headers = HTTPHeaders()
        headers.reserveCapacity(places.count + 3)
        bytes.withUnsafeReadableBytes { bytes in
            forEachForwardedField(of: bytes, mutations, hasLength: hasLength) { place in
                headers.add(name: bytes.text(place.name), value: bytes.text(place.value))
            }
        }
        mutations.forEachAdded { headers.add(name: $0.name, value: $0.value) }
        return headers
    }
}
