import GatewayCore
import HTTP1Messages
import NIOCore
import RequestControl
import Telemetry

/// The conversation with a client on one HTTP/1.x connection, or in one HTTP/2 stream.
///
/// Collects a request, hands it to a ``RequestRelay``, writes the response, then takes the next request of the
/// connection. What the bytes look like is the ``ClientTransport``'s business. Confined to one event loop.
final class ClientSession {
    private let loop: ProxyLoop
    private let listener: ListenerBinding
    let isSecure: Bool
    /// The transport, which owns the session; `nil` when its channel is gone, which takes the circle apart.
    private var transport: (any ClientTransport)?

    private(set) var state = ClientSessionState()
    private var collected: CollectedRequest?
    private var relay: RequestRelay?
    /// When the head of the next request began to arrive; `nil` while nothing of it has.
    private var headStartedAt: NIODeadline?
    /// Whether the present request is a HEAD, whose response has no body.
    private var isHead = false
    /// Whether the present response ends with the connection.
    private var endsWithConnection = false
    /// Whether the client has closed its direction.
    private var isInputClosed = false
    private var version = RequestHead.Version.http11
    /// Closes a connection whose client goes on sending behind an early answer.
    private var lingerTimer: Scheduled<Void>?
    private var lastActivity = NIODeadline.now()
    private(set) lazy var clientAddress = transport?.clientAddress ?? ""

    init(loop: ProxyLoop, listener: ListenerBinding, isSecure: Bool) {
        self.loop = loop
        self.listener = listener
        self.isSecure = isSecure
    }

    private var isStream: Bool { transport?.isStream ?? false }

    // MARK: What the transport tells

    /// The transport's channel is open.
    func opened(_ transport: any ClientTransport) {
        self.transport = transport
        loop.add(self)
    }

    /// The transport's channel is gone.
    func removed() {
        transport = nil
        loop.remove(self)
    }

    /// Bytes came, or room for more bytes.
    func noteActivity() {
        lastActivity = .now()
    }

    /// A part of a head has come, and the rest has not.
    func headIsArriving() {
        if headStartedAt == nil, state.phase == .idle { headStartedAt = .now() }
    }

    /// The next part of a request. Only while ``ClientSessionState/takesInput``.
    func take(_ event: RequestReader.Event) {
        switch event {
        case .head(let head): begin(head)
        case .body(let bytes):
            guard state.isReceiving else { return }
            collected?.append(bytes)
            let limit = loop.configuration.limits.maxBodyBytes
            if let collected, collected.length > limit { refuse(InboundFault.bodyTooLarge(limit: limit)) }
        case .end:
            guard state.isReceiving else { return }
            dispatch()
        }
    }

    /// The bytes behind a fault cannot be told apart into requests any more. What is being answered goes out whole.
    func inputIsFaulty(_ fault: MessageFault) {
        if state.discardsInput { return }
        if state.isResponding {
            state.mustClose()
        } else {
            refuse(InboundFault.rejection(for: fault))
        }
    }

    func writabilityChanged(_ isWritable: Bool) {
        noteActivity()
        relay?.clientWritabilityChanged(isWritable)
    }

    /// The client has closed its direction: it went away, or it broke its request off.
    func inputClosed(isInsideRequest: Bool) {
        isInputClosed = true
        switch state.phase {
        case .closed: break
        case .discarding: transport?.close()
        case .responding(isRequestComplete: false): break
        case .receiving: refuse(InboundFault.truncated)
        case .idle where isInsideRequest: refuse(InboundFault.truncated)
        case .idle, .responding:
            clientLeft()
            transport?.close()
        }
    }

    /// The channel closed.
    func closed() {
        state.closed()
        clientLeft()
    }

    /// The connection is of no use any more.
    func failed() {
        if state.discardsInput { return }
        clientLeft()
        transport?.close()
    }

    // MARK: Collecting a request

    private func begin(_ head: RequestHead) {
        version = head.version
        isHead = head.method == "HEAD"
        endsWithConnection = false
        headStartedAt = nil
        state.headReceived(keepAlive: head.keepsAlive && !isStream)
        collected = CollectedRequest(head: head, receivedAt: loop.controller.now())
        if let rejection = InboundFault.rejection(for: head, limits: loop.configuration.limits) {
            refuse(rejection)
        } else if head.expectsContinue {
            transport?.writeContinue()
        }
    }

    private func dispatch() {
        state.requestComplete()
        guard let transport, let (request, body) = collected.take()?.finished() else { return }
        let exchange = RequestExchange(controller: loop.controller, routes: listener.routes, request: request)
        let relay = RequestRelay(
            exchange: exchange,
            request: request,
            body: body,
            upstreams: loop.upstreams,
            eventLoop: transport.eventLoop,
            client: self
        )
        self.relay = relay
        relay.start()
    }

    /// Answers before the request is whole; what is left of it is read and thrown away.
    private func refuse(_ rejection: Rejection) {
        let path = collected?.path ?? "/"
        collected = nil
        state.requestRefused()
        relayReply(loop.controller.reply(to: rejection, path: path))
    }

    // MARK: The end of a response, and of the connection

    /// Writes the end of a response and does what comes behind it.
    private func endResponse() {
        guard let transport else { return }
        relay = nil
        noteActivity()
        switch state.responseEnded(isDraining: loop.isDraining) {
        case .nextRequest:
            transport.writeEnd(written: nil)
            transport.resume()
        case .close where isStream:
            // The end of the response and of the request are the end of the stream; a close would reset it.
            transport.writeEnd(written: nil)
        case .linger where isInputClosed, .close:
            // A close drops what has not been written: it waits until a slow client has taken the last byte.
            let written = transport.eventLoop.makePromise(of: Void.self)
            written.futureResult.assumeIsolated().whenComplete { _ in transport.close() }
            transport.writeEnd(written: written)
        case .linger:
            transport.writeEnd(written: nil)
            readToTheEnd(transport)
        }
    }

    /// Closes our direction and reads on for a while: a close with unread bytes would reset the connection and could
    /// destroy the reply before the client has read it. A stream has said its end already and is reset after that time.
    private func readToTheEnd(_ transport: any ClientTransport) {
        if !isStream { transport.closeOutput() }
        let timeout = TimeAmount.nanoseconds(loop.configuration.lingerTimeout.wholeNanoseconds)
        lingerTimer = transport.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
            transport.close()
        }
    }

    private func clientLeft() {
        lingerTimer?.cancel()
        guard let relay else { return }
        self.relay = nil
        loop.metrics.clientDisconnects.increment()
        relay.cancel(.clientDisconnected)
    }

    // MARK: What the loop does with its connections

    /// Closes the connection when it has been waited for too long. Called about once a second.
    func sweep(_ now: NIODeadline) {
        let limits = loop.configuration.limits
        let idle = now - lastActivity
        if let headStartedAt, now - headStartedAt > .nanoseconds(limits.headerTimeout.wholeNanoseconds) {
            self.headStartedAt = nil
            refuse(Rejection(.requestTimeout, "The request's header did not arrive within the time limit."))
            return
        }
        switch state.phase {
        case .idle where !isStream && idle > .nanoseconds(limits.idleTimeout.wholeNanoseconds):
            transport?.close()
        case .receiving where idle > .nanoseconds(limits.bodyIdleTimeout.wholeNanoseconds):
            refuse(Rejection(.requestTimeout, "The request's body did not arrive within the time limit."))
        case .closed where idle > .nanoseconds(limits.bodyIdleTimeout.wholeNanoseconds):
            // The client does not take the end of its response.
            transport?.close()
        default:
            break
        }
    }

    /// The gateway is draining: an idle connection closes, a busy one after its response.
    func drain() {
        if case .idle = state.phase, !isStream { transport?.close() }
    }

    /// The drain is over.
    func abort() {
        if let relay {
            self.relay = nil
            relay.cancel(.drained)
        }
        transport?.close()
    }
}

extension ClientSession: RelayClient {
    var isWritable: Bool { transport?.isWritable ?? false }

    func relayHead(_ head: ResponseHead, mutation: HeaderMutation, isLengthKnown: Bool) {
        let framing = framing(status: head.status, hasLength: head.contentLength != nil && isLengthKnown)
        transport?.writeHead(.endpoint(head, mutation), framing: framing)
    }

    /// How an HTTP/1.x client finds the end of a response (RFC 9112, 6.3), and what becomes of its connection.
    private func framing(status: Int, hasLength: Bool) -> ClientResponseHead {
        var framing = ClientResponseHead.Framing.asAnnounced
        if status == 204 {
            framing = .none
        } else if status != 304, !isHead, !hasLength {
            framing = version == .http10 ? .untilClose : .chunked
        }
        if framing == .untilClose, !isStream {
            endsWithConnection = true
            state.mustClose()
        }
        let closes = state.willClose(isDraining: loop.isDraining)
        return ClientResponseHead(
            isHTTP10: version == .http10,
            framing: framing,
            persistence: closes ? .close : (version == .http10 ? .keepAlive : .unsaid)
        )
    }

    func relayBody(_ bytes: ByteBuffer) {
        transport?.writeBody(bytes)
    }

    func relayEnd() {
        endResponse()
    }

    func relayFlush() {
        transport?.flush()
    }

    func relayBreakOff() {
        relay = nil
        state.closed()
        // Closing without the end of the message is how HTTP/1.1 says "not whole", and a stream is reset by its close.
        // A response that ends with the connection has only the reset of the connection to say it.
        if endsWithConnection { transport?.resetOnClose() }
        transport?.close()
    }

    func relayReply(_ reply: LocalReply) {
        guard let transport else { return }
        if reply.closesConnection { state.mustClose() }
        transport.writeHead(.reply(reply), framing: framing(status: reply.status, hasLength: true))
        if !isHead, !reply.body.isEmpty { transport.writeBody(ByteBuffer(bytes: reply.body)) }
        relayEnd()
    }
}
