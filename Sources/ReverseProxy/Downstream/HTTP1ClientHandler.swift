import GatewayCore
import NIOCore
import RequestControl

/// A client's connection of HTTP/1.x: reads requests from its bytes and writes responses as bytes.
///
/// Pipelined requests wait as bytes, and while one waits nothing more is read: what waits is bounded by one read.
final class HTTP1ClientHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Pieces of a body up to this size are copied behind what is waiting to be written, so that a response, or an
    /// event of a stream, leaves in one buffer; larger ones are written as they are.
    static let copiedBytesMax = 8 << 10

    let session: ClientSession
    private let buffers: WriteBuffers
    private var context: ChannelHandlerContext?
    private var reader: RequestReader
    private var isReading = false
    private var hasHeldRead = false
    /// What was written and not handed to the channel.
    private var output: ByteBuffer?
    private var isChunked = false

    init(session: ClientSession, limits: GatewayLimits, buffers: WriteBuffers) {
        self.session = session
        self.buffers = buffers
        reader = RequestReader(limits: limits)
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
        if session.state.discardsInput { return }
        reader.receive(unwrapInboundIn(data))
        takeRequests()
    }

    func read(context: ChannelHandlerContext) {
        if reader.hasInput, !session.state.takesInput {
            hasHeldRead = true
        } else {
            context.read()
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
        if case ChannelEvent.inputClosed = event { session.inputClosed(isInsideRequest: reader.isInsideRequest) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        session.failed()
    }

    /// Hands over what has come, as far as the session takes it. A response that is written meanwhile makes the session
    /// take the next request: that is done here, behind the present one, and not inside it.
    private func takeRequests() {
        guard !isReading else { return }
        isReading = true
        do throws(MessageFault) {
            while session.state.takesInput, let event = try reader.next() { session.take(event) }
        } catch {
            reader.drop()
            session.inputIsFaulty(error)
        }
        isReading = false
        if session.state.discardsInput { reader.drop() }
        if reader.isInsideHead { session.headIsArriving() }
        if hasHeldRead, session.state.takesInput || !reader.hasInput {
            hasHeldRead = false
            context?.read()
        }
    }

    private func append(_ body: (inout ByteBuffer) -> Void) {
        var buffer = output ?? buffers.take()
        output = nil
        body(&buffer)
        output = buffer
    }

    /// Hands what was written to the channel.
    private func writeOutput(flush: Bool, promise: EventLoopPromise<Void>? = nil) {
        guard let context else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        if let output {
            self.output = nil
            if flush {
                context.writeAndFlush(wrapOutboundOut(output), promise: promise)
            } else {
                context.write(wrapOutboundOut(output), promise: promise)
            }
            buffers.giveBack(output)
        } else if flush {
            if let promise { context.write(wrapOutboundOut(ByteBuffer()), promise: promise) }
            context.flush()
        }
    }
}

extension HTTP1ClientHandler: ClientTransport {
    var isStream: Bool { false }

    var isWritable: Bool { context?.channel.isWritable ?? false }

    var clientAddress: String { context?.remoteAddress?.ipAddress ?? "" }

    var eventLoop: any EventLoop {
        guard let context else { preconditionFailure("a session uses its transport only while that has a channel") }
        return context.eventLoop
    }

    func writeContinue() {
        append { $0.writeStaticString("HTTP/1.1 100 Continue\r\n\r\n") }
        writeOutput(flush: true)
    }

    func writeHead(_ content: ResponseContent, framing: ClientResponseHead) {
        isChunked = framing.framing == .chunked
        append { buffer in
            switch content {
            case .endpoint(let head, let mutation): framing.write(head, mutation, to: &buffer)
            case .reply(let reply): framing.write(reply, to: &buffer)
            }
        }
    }

    func writeBody(_ bytes: ByteBuffer) {
        let count = bytes.readableBytes
        let isCopied = count <= Self.copiedBytesMax
        if isCopied || isChunked {
            append { buffer in
                if isChunked { buffer.writeChunkSize(count) }
                if isCopied {
                    buffer.writeImmutableBuffer(bytes)
                    if isChunked { buffer.writeStaticString("\r\n") }
                }
            }
        }
        if isCopied { return }
        writeOutput(flush: false)
        context?.write(wrapOutboundOut(bytes), promise: nil)
        if isChunked { append { $0.writeStaticString("\r\n") } }
    }

    func writeEnd(written: EventLoopPromise<Void>?) {
        if isChunked { append { $0.writeStaticString("0\r\n\r\n") } }
        isChunked = false
        writeOutput(flush: true, promise: written)
    }

    func flush() {
        writeOutput(flush: true)
    }

    func resume() {
        takeRequests()
    }

    func closeOutput() {
        context?.close(mode: .output, promise: nil)
    }

    func close() {
        // Bytes that were not flushed are not sent: who closes without an end wants none.
        output = nil
        context?.close(promise: nil)
    }

    func resetOnClose() {
        context?.channel.resetOnClose()
    }
}

extension ByteBuffer {
    /// Writes the line before a chunk's bytes (RFC 9112, 7.1).
    fileprivate mutating func writeChunkSize(_ count: Int) {
        var digits = 1
        while count &>> (4 * digits) > 0 { digits += 1 }
        for position in (0..<digits).reversed() {
            let digit = UInt8(truncatingIfNeeded: count &>> (4 * position) & 0xF)
            writeInteger(digit < 10 ? digit + 0x30 : digit + 0x57)
        }
        writeStaticString("\r\n")
    }
}
