import GatewayCore
import HTTP1Messages
import NIOCore
import Transport

/// One connection to an endpoint: sends one request at a time and hands the response to its
/// ``RequestRelay``.
///
/// Confined to its event loop. Between requests it is idle in its ``UpstreamPool``.
final class UpstreamConnection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        /// Without a request; can go to `busy` and `closed`.
        case idle
        /// A request was sent and its response is not whole; can go to `settling` and `closed`.
        case busy
        /// The response is whole, and the read that brought its end goes on: bytes behind it would be taken for the
        /// answer to a request that is sent now. Can go to `idle` and `closed`.
        case settling
        /// The channel is gone or going.
        case closed
    }

    /// Where the connection goes to.
    let address: EndpointAddress
    /// When it last became idle.
    private(set) var idleSince = NIODeadline.now()
    /// Whether it has served a request before the present one.
    private(set) var isReused = false

    /// Bodies up to this size are copied behind their head, so that a request leaves in one buffer.
    private static let copiedBytesMax = 16 << 10

    private unowned let pool: UpstreamPool
    private let buffers: BufferPool
    private var state = State.idle
    /// Whose request is on its way; `nil` unless the connection is busy.
    private var relay: RequestRelay?
    private var reader = ResponseReader()
    private var context: ChannelHandlerContext?
    private var keepsAlive = true
    private var isReadingPaused = false
    private var hasHeldRead = false

    init(address: EndpointAddress, pool: UpstreamPool, buffers: BufferPool) {
        self.address = address
        self.pool = pool
        self.buffers = buffers
    }

    // MARK: What the relay does

    /// Sends a request. The connection must be idle; it belongs to `relay` until
    /// ``RequestRelay/upstreamDidEnd()`` or ``RequestRelay/upstreamDidFail(_:)``.
    func send(_ head: UpstreamRequestHead, body: ByteBuffer?, for relay: RequestRelay) {
        guard let context, case .idle = state else {
            relay.upstreamDidFail(nil)
            return
        }
        state = .busy
        self.relay = relay
        keepsAlive = true
        reader.begin(isHead: head.request.method == "HEAD")
        var bytes = buffers.take(UpstreamRequestHead.usualBytes)
        head.write(to: &bytes)
        if let body, body.readableBytes > Self.copiedBytesMax {
            context.write(wrapOutboundOut(bytes), promise: nil)
            context.writeAndFlush(wrapOutboundOut(body), promise: nil)
        } else {
            if let body { bytes.writeImmutableBuffer(body) }
            context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        }
        buffers.giveBack(bytes)
    }

    /// Gives the connection up before the response is whole: it closes at once, and the relay hears no more.
    func abandon() {
        state = .closed
        relay = nil
        context?.close(promise: nil)
    }

    /// Stops or resumes reading, for back-pressure from the client.
    func setReading(_ isReading: Bool) {
        isReadingPaused = !isReading
        if isReading, hasHeldRead {
            hasHeldRead = false
            context?.read()
        }
    }

    // MARK: ChannelHandler

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func read(context: ChannelHandlerContext) {
        if isReadingPaused {
            hasHeldRead = true
        } else {
            context.read()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let relay else {
            // A connection without a request has nothing to say: a server that speaks anyway is out of step, and
            // whatever it says must never become the answer to the next request.
            abandonIdle(context)
            return
        }
        reader.receive(unwrapInboundIn(data))
        do throws(MessageFault) {
            while case .busy = state, let event = try reader.next() { take(event, for: relay, context) }
        } catch {
            fail(error)
            context.close(promise: nil)
            return
        }
        if case .settling = state, reader.hasInput { abandonIdle(context) }
    }

    private func take(_ event: ResponseReader.Event, for relay: RequestRelay, _ context: ChannelHandlerContext) {
        switch event {
        case .head(let head):
            keepsAlive = head.keepsAlive
            relay.upstreamDidReceiveHead(head)
        case .body(let bytes):
            relay.upstreamDidReceiveBody(bytes)
        case .end:
            responseEnded(context)
            relay.upstreamDidEnd()
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        switch state {
        case .busy: relay?.upstreamDidReadComplete()
        case .settling: becomeIdle()
        case .idle, .closed: break
        }
        // Nobody stands behind this handler: the event ends here.
    }

    func channelInactive(context: ChannelHandlerContext) {
        if let relay, reader.inputEnded() {
            state = .closed
            self.relay = nil
            relay.upstreamDidEnd()
        } else {
            fail(nil)
        }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(error)
        context.close(promise: nil)
    }

    // MARK: Transitions

    private func responseEnded(_ context: ChannelHandlerContext) {
        relay = nil
        // A response that overtakes its request leaves the connection in the middle of a body: it cannot be used again.
        guard keepsAlive, isRequestWritten(context), context.channel.isActive else {
            state = .closed
            context.close(promise: nil)
            return
        }
        state = .settling
        isReused = true
        isReadingPaused = false
    }

    private func isRequestWritten(_ context: ChannelHandlerContext) -> Bool {
        (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) == 0
    }

    private func becomeIdle() {
        state = .idle
        idleSince = .now()
        pool.putBack(self)
    }

    private func fail(_ error: (any Error)?) {
        switch state {
        case .idle:
            state = .closed
            pool.forget(self)
        case .busy:
            state = .closed
            let relay = relay.take()
            relay?.upstreamDidFail(error)
        case .settling:
            state = .closed
        case .closed:
            break
        }
    }

    private func abandonIdle(_ context: ChannelHandlerContext) {
        if case .idle = state { pool.forget(self) }
        state = .closed
        context.close(promise: nil)
    }

    /// Closes an idle connection.
    func closeIdle() {
        state = .closed
        context?.close(promise: nil)
    }
}
