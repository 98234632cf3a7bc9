import GatewayCore
import HTTP1Messages
import NIOCore
import RequestControl
import Transport

/// What a relay needs of the client's side. Called on the connection's event loop.
protocol RelayClient: AnyObject {
    /// Whether the client takes more bytes at once.
    var isWritable: Bool { get }
    /// The client's address as text, for `x-forwarded-for`.
    var clientAddress: String { get }
    /// Whether the client speaks TLS.
    var isSecure: Bool { get }
    /// Writes the response's head, with the changes of the route. The length that it announces is that of the body
    /// unless `isLengthKnown` is false.
    func relayHead(_ head: ResponseHead, mutation: HeaderMutation, isLengthKnown: Bool)
    /// Writes a piece of the response's body.
    func relayBody(_ bytes: ByteBuffer)
    /// Ends the response and flushes it.
    func relayEnd()
    /// Sends out what was written.
    func relayFlush()
    /// The response broke off: what the client has must not look whole.
    func relayBreakOff()
    /// Answers the request without an endpoint.
    func relayReply(_ reply: LocalReply)
}

/// Takes one request to an endpoint and its response back, through as many attempts as the policy allows.
///
/// The head of a response is held until the first byte of its body: until then nothing has been sent to the client, so
/// an endpoint that dies between the two costs the client nothing. Confined to one event loop.
final class RequestRelay {
    private enum State {
        /// Not started, or between two attempts.
        case ready
        /// The request waits for its turn.
        case waiting
        /// A connection is being made.
        case connecting
        /// The request was sent; no whole head has come.
        case awaitingHead
        /// The head is here and nothing of the body.
        case holdingHead
        /// The head was written to the client.
        case relaying
        /// Ended, one way or the other.
        case done
    }

    private let exchange: RequestExchange
    private let request: IncomingRequest
    private let body: ByteBuffer?
    private let upstreams: UpstreamPool
    private let eventLoop: any EventLoop
    private let client: any RelayClient
    private var state = State.ready
    /// The connection that the present attempt was sent on.
    private var connection: UpstreamConnection?
    /// The head of the response, while it is held.
    private var heldHead: ResponseHead?
    private var routing: RoutingReply?
    private var attemptTimer: Scheduled<Void>?
    private var requestTimer: Scheduled<Void>?

    init(
        exchange: RequestExchange,
        request: IncomingRequest,
        body: ByteBuffer?,
        upstreams: UpstreamPool,
        eventLoop: any EventLoop,
        client: any RelayClient
    ) {
        self.exchange = exchange
        self.request = request
        self.body = body
        self.upstreams = upstreams
        self.eventLoop = eventLoop
        self.client = client
    }

    // MARK: What the client's side does

    /// Starts the first attempt.
    func start() {
        let relay = NIOLoopBound(self, eventLoop: eventLoop)
        let eventLoop = eventLoop
        perform(
            exchange.begin { wake in
                eventLoop.execute {
                    switch wake {
                    case .resume: relay.value.resume()
                    case .evict: relay.value.evict()
                    }
                }
            }
        )
    }

    /// The request's turn has come.
    private func resume() {
        guard case .waiting = state else { return }
        state = .ready
        perform(exchange.resume())
    }

    /// Another request needs this one's place.
    private func evict() {
        let connection = connectionInUse
        let isRelaying = if case .relaying = state { true } else { false }
        guard let reply = exchange.evict(), end(nil) else { return }
        connection?.abandon()
        if isRelaying { client.relayBreakOff() } else { client.relayReply(reply) }
    }

    /// Ends the request because the client went away or the gateway's drain is over.
    func cancel(_ outcome: RequestOutcome) {
        if outcome == .drained, let reply = exchange.shutDown() {
            end(nil)
            client.relayReply(reply)
            return
        }
        let connection = connectionInUse
        guard end(outcome) else { return }
        connection?.abandon()
    }

    /// The client takes more bytes, or no more for now.
    func clientWritabilityChanged(_ isWritable: Bool) {
        connectionInUse?.setReading(isWritable)
    }

    // MARK: Attempts

    private func perform(_ step: NextStep) {
        switch step {
        case .send(let routing): attempt(routing)
        case .reply(let reply):
            end(nil)
            client.relayReply(reply)
        case .wait:
            state = .waiting
            scheduleRequestTimer(exchange.deadline)
        }
    }

    private func attempt(_ routing: RoutingReply) {
        self.routing = routing
        scheduleTimers(routing)
        let address = routing.destination
        // A retry takes a new connection: when one kept-alive connection was stale, the others may be too.
        if routing.attempt == 0, let connection = upstreams.takeIdle(address) {
            send(on: connection, routing)
            return
        }
        state = .connecting
        let attempt = routing.attempt
        upstreams.connect(address).assumeIsolated().whenComplete { result in
            guard case .connecting = self.state, self.routing?.attempt == attempt else {
                // The client left in the meantime; the connection serves somebody else.
                if case .success(let connection) = result { self.upstreams.putBack(connection) }
                return
            }
            switch result {
            case .success(let connection): self.send(on: connection, routing)
            case .failure(let error): self.attemptFailed(.connect(String(describing: error)))
            }
        }
    }

    private func send(on connection: UpstreamConnection, _ routing: RoutingReply) {
        state = .awaitingHead
        self.connection = connection
        let body = body(routing.body)
        let head = UpstreamRequestHead(
            request: request,
            bodyLength: body?.readableBytes ?? 0,
            clientAddress: client.clientAddress,
            isSecure: client.isSecure,
            mutations: routing.requestHeaders
        )
        connection.send(head, body: body, for: self)
    }

    /// The body with a piece of it replaced, where the routing says so.
    private func body(_ replacement: BodyReplacement?) -> ByteBuffer? {
        guard let replacement, let body else { return body }
        return body.replacing(replacement.range, with: replacement.bytes)
    }

    private func attemptFailed(_ failure: AttemptFailure) {
        attemptTimer?.cancel()
        attemptTimer = nil
        perform(exchange.attemptFailed(failure))
    }

    // MARK: What the connection to the endpoint tells, on its event loop

    /// The response's head arrived.
    func upstreamDidReceiveHead(_ head: ResponseHead) {
        guard case .awaitingHead = state else { return }
        if let step = exchange.responseHeadReceived(status: head.status, isEventStream: head.isEventStream) {
            // The policy sends the request elsewhere; this answer is of no use to anybody.
            state = .ready
            connection?.abandon()
            attemptTimer?.cancel()
            perform(step)
            return
        }
        state = .holdingHead
        heldHead = head
    }

    /// A piece of the response's body arrived.
    func upstreamDidReceiveBody(_ bytes: ByteBuffer) {
        releaseHead()
        guard case .relaying = state else { return }
        let changed = bytes.withUnsafeReadableBytes { exchange.responseBodyReceived(RawSpan(_unsafeBytes: $0)) }
        let relayed = changed.map { ByteBuffer(bytes: $0) } ?? bytes
        // A piece of no bytes would be the end of a body in chunks.
        if relayed.readableBytes > 0 { client.relayBody(relayed) }
        // With the client's buffer full, the endpoint waits: nothing piles up here.
        if !client.isWritable { connectionInUse?.setReading(false) }
    }

    /// The response is whole. The connection no longer belongs to the relay when this is called.
    func upstreamDidEnd() {
        releaseHead()
        guard case .relaying = state else { return }
        let held = exchange.responseBodyEnded()
        if !held.isEmpty { client.relayBody(ByteBuffer(bytes: held)) }
        end(.completed)
        client.relayEnd()
    }

    /// No more bytes for now: what was written to the client should be flushed.
    func upstreamDidReadComplete() {
        if case .relaying = state { client.relayFlush() }
    }

    /// The connection broke, or sent what is not HTTP, before the response was whole. It no longer belongs to the
    /// relay.
    func upstreamDidFail(_ error: (any Error)?) {
        switch state {
        case .awaitingHead, .holdingHead:
            state = .ready
            heldHead = nil
            attemptFailed(.reset(onReusedConnection: connection?.isReused ?? false))
        case .relaying:
            end(.resetMidResponse)
            client.relayBreakOff()
        case .ready, .waiting, .connecting, .done:
            break
        }
    }

    private func releaseHead() {
        guard case .holdingHead = state, let routing, let head = heldHead.take() else { return }
        state = .relaying
        let changesBody = exchange.isModelRewritten && head.bodyLength != .none && restoreModel(head)
        exchange.responseStarted()
        client.relayHead(head, mutation: responseHeaders(routing), isLengthKnown: !changesBody)
    }

    private func restoreModel(_ head: ResponseHead) -> Bool {
        exchange.restoreModel(
            contentType: head.value(of: "content-type"),
            contentEncoding: head.value(of: "content-encoding")
        )
    }

    /// What plugins and the route change in the response's header; the route has the last word.
    private func responseHeaders(_ routing: RoutingReply) -> HeaderMutation {
        var mutation = routing.responseHeaders
        let fields = exchange.responseFields(served: routing.destination.authority)
        if !fields.isEmpty { mutation.set = fields + mutation.set }
        return mutation
    }

    // MARK: Time

    private func scheduleTimers(_ routing: RoutingReply) {
        scheduleRequestTimer(routing.requestDeadline)
        if let timeout = routing.attemptTimeout {
            attemptTimer = schedule(in: timeout) { $0.attemptTimedOut() }
        }
    }

    private func scheduleRequestTimer(_ deadline: MonotonicInstant?) {
        guard requestTimer == nil, let deadline else { return }
        let delay = deadline.since(exchange.now())
        requestTimer = schedule(in: delay) { $0.requestTimedOut() }
    }

    private func schedule(in delay: Duration, _ action: @escaping (RequestRelay) -> Void) -> Scheduled<Void> {
        eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(max(0, delay.wholeNanoseconds))) { [weak self] in
            if let self { action(self) }
        }
    }

    private func attemptTimedOut() {
        timedOut { self.attemptFailed(.timeout) }
    }

    private func requestTimedOut() {
        timedOut { self.perform(self.exchange.requestTimedOut()) }
    }

    private func timedOut(beforeResponse: () -> Void) {
        let connection = connectionInUse
        switch state {
        case .waiting, .connecting, .awaitingHead, .holdingHead:
            state = .ready
            heldHead = nil
            connection?.abandon()
            beforeResponse()
        case .relaying:
            end(.timedOut)
            connection?.abandon()
            client.relayBreakOff()
        case .ready, .done:
            break
        }
    }

    // MARK: The end

    private var connectionInUse: UpstreamConnection? {
        switch state {
        case .awaitingHead, .holdingHead, .relaying: connection
        case .ready, .waiting, .connecting, .done: nil
        }
    }

    /// Ends the request once; `false` when it had ended before.
    @discardableResult
    private func end(_ outcome: RequestOutcome?) -> Bool {
        if case .done = state { return false }
        state = .done
        connection = nil
        heldHead = nil
        attemptTimer?.cancel()
        requestTimer?.cancel()
        if let outcome { exchange.finish(outcome) }
        return true
    }
}
