import GatewayCore
import HTTP1Messages
import NIOCore
import RequestControl
import Transport

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
    private let buffers: BufferPool
    /// Where the connection is read into; `nil` when its bytes come from another handler.
    private let slot: ReceiveSlot?
    private var context: ChannelHandlerContext?
    private var reader: RequestReader
    private var isReading = false
    private var hasHeldRead = false
    /// What was written and not handed to the channel.
    private var output: ByteBuffer?
    private var isChunked = false
    private(set) var isWritable = true

    init(session: ClientSession, limits: GatewayLimits, buffers: BufferPool, slot: ReceiveSlot? = nil) {
        self.session = session
        self.buffers = buffers
        self.slot = slot
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
        let bytes = unwrapInboundIn(data)
        if slot?.hasLostBytes == true {
            session.failed()
            return
        }
        if !session.state.discardsInput {
            if let slot, slot.isContinuation { reader.resume(bytes) } else { reader.receive(bytes) }
            takeRequests()
            if let slot, let begun = reader.takeBegunBody() { slot.continueBehind(begun) }
        }
        slot?.giveBack(bytes)
    }

    func read(context: ChannelHandlerContext) {
        if reader.hasInput, !session.state.takesInput {
            hasHeldRead = true
        } else {
            context.read()
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        session.writabilityChanged(isWritable)
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
        var buffer = output ?? buffers.take(ClientResponseHead.usualBytes)
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
        if count <= Self.copiedBytesMax {
            append { $0.writePiece(of: bytes, count: count, asChunk: isChunked) }
            return
        }
        if isChunked { append { $0.writeChunkSize(count) } }
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
    /// Copies a piece of a body; as a chunk with its framing (RFC 9112, 7.1).
    fileprivate mutating func writePiece(of body: ByteBuffer, count: Int, asChunk: Bool) {
        guard asChunk else {
            writeImmutableBuffer(body)
            return
        }
        HeadBytes.write(to: &self, bytesMax: count + 20) { bytes in
            bytes.appendHexadecimal(count)
            bytes.append("\r\n")
            body.withUnsafeReadableBytes { bytes.append($0) }
            bytes.append("\r\n")
        }
    }

    /// Writes the line before a chunk's bytes.
    fileprivate mutating func writeChunkSize(_ count: Int) {
        HeadBytes.write(to: &self, bytesMax: 20) { bytes in
            bytes.appendHexadecimal(count)
            bytes.append("\r\n")
        }
    }
}
